//! The telephone numbers of a development server: the built-in inventory of fictitious ones in every cell, and one that
//! can text for each resource, so that a sample works at once.

use base::phone::{Assignment, Capabilities, Capability, NumberType};
use base::{PhoneNumber, Secret};
use post::numbers::{Cost, Offer, fictitious, places};

use super::CliError;
use crate::directory::ResourceEntry;
use crate::http::State;
use crate::service::audit::{Act, Actor};
use crate::service::numbers::{NumbersDesk, NumbersError, ensure_held, load};

/// The numbers of which each resource gets one: toll-free ones of the built-in inventory, which can text.
const FIRST: u64 = 18_335_550_100;
const COUNT: u64 = 100;
/// The most numbers that are told in the ready file for one resource.
const TOLD: usize = 100;
/// How often a change that met another is tried again.
const ATTEMPTS: usize = 8;
/// The name of what is done here in the audit log.
const ACT: Act = Act { name: Some("numbers.stock"), by: Actor::Operator };

/// Loads the built-in inventory where it is not loaded yet, gives the first resource the numbers that were `wished` for
/// and each resource that has none one of its own. Gives back the numbers of each resource.
///
/// # Errors
/// When a store fails.
pub(super) async fn stock(state: &State, wished: &[PhoneNumber]) -> Result<Vec<Vec<String>>, CliError> {
    let inventory = fictitious::inventory();
    let mut held = Vec::new();
    for (place, resource) in state.directory.resources().iter().enumerate() {
        let fault = |fault: NumbersError| CliError::Cell {
            geography: resource.geography().as_str().to_owned(),
            why: fault.to_string(),
        };
        let (cell, clock, rng) = (resource.cell(), &*state.clock, &*state.rng);
        load(cell, &inventory, Some(fictitious::MARK), ACT, clock, rng).await.map_err(fault)?;
        let desk = desk(state, resource);
        for number in wished.iter().filter(|_| place == 0) {
            if !ensure_held(&desk, number, &offer_of(number)).await.map_err(fault)? {
                return Err(CliError::NumberTaken);
            }
        }
        if desk.list(0, 1).await.map_err(fault)?.0.is_empty() {
            give_one(&desk, place as u64).await.map_err(fault)?;
        }
        let (numbers, _) = desk.list(0, TOLD).await.map_err(fault)?;
        held.push(numbers.into_iter().map(|held| held.number.expose().to_owned()).collect());
    }
    Ok(held)
}

fn desk<'a>(state: &'a State, resource: &'a ResourceEntry) -> NumbersDesk<'a> {
    NumbersDesk {
        cell: resource.cell(),
        resource: resource.id(),
        clock: &*state.clock,
        rng: &*state.rng,
        act: ACT,
        attempts: ATTEMPTS,
    }
}

/// A number for the resource at this place: beginning there, so that two resources have different ones also where
/// they are in different cells.
async fn give_one(desk: &NumbersDesk<'_>, place: u64) -> Result<(), NumbersError> {
    for step in 0..COUNT {
        let number = format!("+{}", FIRST + (place + step) % COUNT).parse::<PhoneNumber>();
        let Ok(number) = number else { continue };
        if ensure_held(desk, &number, &offer_of(&number)).await? {
            break;
        }
    }
    Ok(())
}

/// What a number is offered as: as in the built-in inventory, or as a mobile number that can do everything.
fn offer_of(number: &PhoneNumber) -> Offer {
    let inventory = fictitious::inventory();
    let known = inventory.numbers.iter().find(|(known, _)| known == number);
    let known = known.and_then(|(_, offer)| inventory.offers.get(*offer));
    known.cloned().unwrap_or_else(|| Offer {
        country: places::of(number).map_or("US", |country| country.iso).to_owned(),
        kind: NumberType::Mobile,
        assignment: Assignment::Application,
        capabilities: Capabilities { calling: Capability::Both, sms: Capability::Both },
        cost: Cost { cents: 0, currency: "USD".to_owned() },
        area_code: None,
        locality: None,
        division: None,
        not_for_resale: false,
        operator: None,
    })
}

/// Reads `--number`; the text is not repeated where it is none.
pub(super) fn wished(text: &str) -> Result<Secret<PhoneNumber>, String> {
    text.parse().map(Secret::new).map_err(|fault: base::phone::InvalidNumber| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;

    #[tokio::test]
    async fn each_resource_has_a_number_of_its_own_and_keeps_it() {
        let test = TestApp::new().await;
        let state = test.app.state();
        let first = stock(state, &[]).await.unwrap();
        assert_eq!(first, [["+18335550100"], ["+18335550101"], ["+18335550102"]]);
        assert_eq!(stock(state, &[]).await.unwrap(), first, "the same again changes nothing");
    }

    #[tokio::test]
    async fn a_number_that_is_wished_for_is_the_first_resources() {
        let test = TestApp::new().await;
        let wish: PhoneNumber = "+4915112345678".parse().unwrap();
        let held = stock(test.app.state(), std::slice::from_ref(&wish)).await.unwrap();
        assert_eq!(held[0], ["+4915112345678"]);
        let desk = desk(test.app.state(), test.resource());
        let number = desk.held(&wish).await.unwrap();
        assert_eq!((number.offer.country.as_str(), number.offer.kind), ("DE", NumberType::Mobile));
        let taken: PhoneNumber = held[1][0].parse().unwrap();
        assert!(matches!(stock(test.app.state(), &[taken]).await, Err(CliError::NumberTaken)));
    }

    #[test]
    fn what_is_no_number_is_not_repeated() {
        assert!(wished("+14255550123").is_ok());
        assert!(!wished("4255550123").unwrap_err().contains("4255550123"));
    }
}
