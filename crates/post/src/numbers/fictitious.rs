//! The inventory of a development server: numbers that the regulators of their countries keep for fiction (NANP
//! 555-01XX; Ofcom's, BNetzA's, ARCEP's, PTS's and ACMA's drama numbers), so that nobody is ever called by a test.

use super::{Inventory, csv};

/// Raised when the list changes, so that it is loaded again.
pub const MARK: u32 = 1;

const LIST: &str = "\
number,country,type,calling,sms,cost,currency,area_code,locality,division,division_name,not_for_resale,operator,mcc,mnc
+12065550100..+12065550199,US,geographic,inbound+outbound,none,1.00,USD,206,Seattle,WA,Washington,,Fabrikam Telecom,,
+14255550100..+14255550199,US,geographic,inbound+outbound,none,1.00,USD,425,Bellevue,WA,Washington,,Fabrikam Telecom,,
+12125550100..+12125550199,US,geographic,inbound+outbound,none,1.00,USD,212,New York,NY,New York,,Fabrikam Telecom,,
+14155550100..+14155550199,US,geographic,inbound+outbound,none,1.00,USD,415,San Francisco,CA,California,,Fabrikam Telecom,,
+13125550100..+13125550199,US,geographic,inbound+outbound,none,1.00,USD,312,Chicago,IL,Illinois,,Fabrikam Telecom,,
+18335550100..+18335550199,US,tollFree,inbound+outbound,inbound+outbound,2.00,USD,833,,,,,Fabrikam Telecom,,
+18445550100..+18445550199,US,tollFree,inbound+outbound,inbound+outbound,2.00,USD,844,,,,,Fabrikam Telecom,,
+18555550100..+18555550199,US,tollFree,inbound+outbound,inbound+outbound,2.00,USD,855,,,,,Fabrikam Telecom,,
+18665550100..+18665550199,US,tollFree,inbound+outbound,inbound+outbound,2.00,USD,866,,,,,Fabrikam Telecom,,
+18775550100..+18775550199,US,tollFree,inbound+outbound,inbound+outbound,2.00,USD,877,,,,,Fabrikam Telecom,,
+18885550100..+18885550199,US,tollFree,inbound+outbound,inbound+outbound,2.00,USD,888,,,,,Fabrikam Telecom,,
+14165550100..+14165550199,CA,geographic,inbound+outbound,none,1.00,USD,416,Toronto,ON,Ontario,,Northwind Mobile,,
+16045550100..+16045550199,CA,geographic,inbound+outbound,none,1.00,USD,604,Vancouver,BC,British Columbia,,Northwind Mobile,,
+442079460000..+442079460199,GB,geographic,inbound+outbound,none,1.00,GBP,20,London,,,,Contoso Telecom,,
+441614960000..+441614960099,GB,geographic,inbound+outbound,none,1.00,GBP,161,Manchester,,,,Contoso Telecom,,
+447700900000..+447700900199,GB,mobile,inbound+outbound,inbound+outbound,2.00,GBP,7700,,,,,Contoso Mobile,234,99
+448081570000..+448081570099,GB,tollFree,inbound,none,2.00,GBP,808,,,,,Contoso Telecom,,
+493023125000..+493023125099,DE,geographic,inbound+outbound,none,1.00,EUR,30,Berlin,,,true,Adventure Works Telekom,,
+498999998000..+498999998099,DE,geographic,inbound+outbound,none,1.00,EUR,89,Munich,,,true,Adventure Works Telekom,,
+4917604069000..+4917604069099,DE,mobile,inbound+outbound,inbound+outbound,3.00,EUR,176,,,,true,Adventure Works Mobil,262,99
+33199000000..+33199000099,FR,geographic,inbound+outbound,none,1.00,EUR,1,Paris,,,true,Tailspin Telecom,,
+33639980000..+33639980099,FR,mobile,inbound+outbound,inbound+outbound,3.00,EUR,6,,,,true,Tailspin Mobile,208,99
+46846500400..+46846500499,SE,geographic,inbound+outbound,none,10.00,SEK,8,Stockholm,,,,Litware Telefoni,,
+46701740605..+46701740699,SE,mobile,inbound+outbound,inbound+outbound,20.00,SEK,70,,,,,Litware Mobil,240,99
+61255500000..+61255500099,AU,geographic,inbound+outbound,none,2.00,AUD,2,Sydney,NSW,New South Wales,,Wingtip Telecom,,
";

/// All of them.
#[must_use]
pub fn inventory() -> Inventory {
    csv::read(LIST).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use base::phone::NumberType;

    use super::*;

    #[test]
    fn the_list_is_good_and_has_every_kind() {
        assert_eq!(csv::read(LIST).map(|_| ()), Ok(()));
        let all = inventory();
        assert!((2_000..=super::super::MAX_NUMBERS).contains(&all.numbers.len()), "{}", all.numbers.len());
        let kinds: BTreeSet<_> = all.offers.iter().map(|offer| offer.kind).collect();
        assert_eq!(kinds.len(), NumberType::ALL.len());
        let countries: BTreeSet<_> = all.offers.iter().map(|offer| offer.country.as_str()).collect();
        assert_eq!(countries, BTreeSet::from(["AU", "CA", "DE", "FR", "GB", "SE", "US"]));
        assert!(all.offers.iter().any(|offer| offer.not_for_resale));
    }

    #[test]
    fn north_american_numbers_are_of_the_exchange_kept_for_fiction() {
        for (number, _) in inventory().numbers.iter().filter(|(number, _)| number.digits().starts_with('1')) {
            let rest = &number.digits()[4..];
            assert!(rest.starts_with("55501") && rest.len() == 7);
        }
    }
}
