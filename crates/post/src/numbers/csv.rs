//! Inventories as operators have them: CSV (RFC 4180) with a line of column names. All of a file is read or none of it;
//! what is wrong is told line by line, and never quotes a number.

use std::collections::HashMap;

use base::PhoneNumber;
use base::phone::{Assignment, Capabilities, Capability, NumberType};
use thiserror::Error;

use super::{Cost, Division, Inventory, MAX_NUMBERS, Offer, Operator};

/// The most faults that are told at once.
pub const MAX_FAULTS: usize = 100;
/// The longest field, in bytes.
pub const MAX_FIELD: usize = 128;
/// The longest text between two numbers of a range.
const TO: &str = "..";

/// The columns there are; those before the first optional one must be there.
const COLUMNS: [&str; 16] = [
    "number",
    "country",
    "type",
    "calling",
    "sms",
    "assignment",
    "cost",
    "currency",
    "area_code",
    "locality",
    "division",
    "division_name",
    "not_for_resale",
    "operator",
    "mcc",
    "mnc",
];
const REQUIRED: usize = 5;

/// Something wrong in one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct Fault {
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong, without quoting what may name a person.
    pub what: String,
}

impl Fault {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// Reads an inventory. A `number` is one number or `first..last`, a range of numbers of one length.
///
/// # Errors
/// Everything that is wrong, up to [`MAX_FAULTS`], in the order of lines.
pub fn read(text: &str) -> Result<Inventory, Vec<Fault>> {
    let mut lines = records(text.strip_prefix('\u{feff}').unwrap_or(text));
    let header = match lines.next() {
        Some(Ok((_, header))) => header,
        Some(Err(fault)) => return Err(vec![fault]),
        None => return Err(vec![Fault::new(1, "the file is empty: its first line names the columns")]),
    };
    let columns = columns(&header).map_err(|what| vec![Fault::new(1, what)])?;
    let (mut into, mut faults) = (Building::default(), Vec::new());
    for line in lines {
        let outcome = line
            .and_then(|(at, fields)| into.add(at, &columns, &fields).map_err(|what| Fault::new(at, what)));
        if let Err(fault) = outcome {
            faults.push(fault);
        }
        if faults.len() == MAX_FAULTS {
            break;
        }
    }
    match (faults.is_empty(), into.inventory.numbers.is_empty()) {
        (false, _) => Err(faults),
        (true, true) => Err(vec![Fault::new(1, "the file holds no number")]),
        (true, false) => Ok(into.inventory),
    }
}

/// Which field is which column.
struct Columns {
    names: Vec<usize>,
}

fn columns(header: &[String]) -> Result<Columns, String> {
    let mut names = Vec::new();
    for name in header {
        let name = name.trim();
        let known = COLUMNS.iter().position(|known| known.eq_ignore_ascii_case(name));
        let Some(known) = known else {
            let shown: String =
                name.chars().take(32).filter(|c| c.is_ascii_alphabetic() || *c == '_').collect();
            return Err(format!("`{shown}` is no column; there are {}", COLUMNS.join(", ")));
        };
        if names.contains(&known) {
            return Err(format!("the column {} is there twice", COLUMNS[known]));
        }
        names.push(known);
    }
    match (0..REQUIRED).find(|column| !names.contains(column)) {
        Some(missing) => Err(format!("the column {} is missing", COLUMNS[missing])),
        None => Ok(Columns { names }),
    }
}

impl Columns {
    /// The fields by column; what is empty or not there is `None`.
    fn sort<'a>(&self, fields: &'a [String]) -> Result<[Option<&'a str>; COLUMNS.len()], String> {
        if fields.len() != self.names.len() {
            let (want, got) = (self.names.len(), fields.len());
            return Err(format!("there are {want} columns, and this line has {got} fields"));
        }
        let mut sorted = [None; COLUMNS.len()];
        for (column, field) in self.names.iter().zip(fields) {
            let field = field.trim();
            if field.len() > MAX_FIELD {
                return Err(format!("{} is longer than {MAX_FIELD} bytes", COLUMNS[*column]));
            }
            if field.chars().any(char::is_control) {
                return Err(format!("{} holds a control character", COLUMNS[*column]));
            }
            sorted[*column] = Some(field).filter(|field| !field.is_empty());
        }
        Ok(sorted)
    }
}

#[derive(Default)]
struct Building {
    inventory: Inventory,
    offers: HashMap<Offer, usize>,
    seen: HashMap<u64, usize>,
}

impl Building {
    fn add(&mut self, line: usize, columns: &Columns, fields: &[String]) -> Result<(), String> {
        let fields = columns.sort(fields)?;
        let (first, last) = range(fields[0].ok_or("number is missing")?)?;
        let offer = offer(&fields)?;
        let count = last - first;
        let left = MAX_NUMBERS - self.inventory.numbers.len();
        if count >= left as u64 {
            return Err(format!("the file holds more than {MAX_NUMBERS} numbers: load it in parts"));
        }
        if let Some(area) = &offer.area_code {
            // After a calling code of one to three digits.
            let fits = |number: u64| {
                (1..=3).any(|at| number.to_string().get(at..).is_some_and(|n| n.starts_with(area)))
            };
            if !fits(first) || !fits(last) {
                return Err("the number does not begin with a calling code and this area_code".into());
            }
        }
        let next = self.inventory.offers.len();
        let at = *self.offers.entry(offer).or_insert_with_key(|offer| {
            self.inventory.offers.push(offer.clone());
            next
        });
        for number in first..=last {
            if let Some(before) = self.seen.insert(number, line) {
                return Err(format!("a number of this line is in line {before} already"));
            }
            let number = format!("+{number}").parse::<PhoneNumber>().map_err(|fault| fault.to_string())?;
            self.inventory.numbers.push((number, at));
        }
        Ok(())
    }
}

/// The first and the last number, as the numbers their digits are.
fn range(text: &str) -> Result<(u64, u64), String> {
    let (first, last) = text.split_once(TO).unwrap_or((text, text));
    let read = |text: &str| -> Result<(u64, usize), String> {
        let number: PhoneNumber = text
            .trim()
            .parse()
            .map_err(|_| "number is no number: write it as +442079460000, or as first..last")?;
        let digits = number.digits();
        Ok((digits.parse().map_err(|_| "number is no number")?, digits.len()))
    };
    let ((first, length), (last, other)) = (read(first)?, read(last)?);
    if length != other || first > last {
        return Err("a range goes from a number to a greater one of the same length".into());
    }
    Ok((first, last))
}

fn offer(fields: &[Option<&str>; COLUMNS.len()]) -> Result<Offer, String> {
    let owned = |at: usize| fields[at].map(str::to_owned);
    let country = fields[1].ok_or("country is missing")?;
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err("country is two letters of ISO 3166, such as US".into());
    }
    let kind = fields[2].and_then(NumberType::named).ok_or("type is geographic, tollFree or mobile")?;
    let capability = |at: usize| match fields[at] {
        None => Ok(Capability::None),
        Some(text) => Capability::named(text)
            .ok_or_else(|| format!("{} is none, inbound, outbound or inbound+outbound", COLUMNS[at])),
    };
    let capabilities = Capabilities { calling: capability(3)?, sms: capability(4)? };
    if capabilities == Capabilities::NONE {
        return Err("nothing can be done with the number: calling and sms are both none".into());
    }
    let assignment = match fields[5] {
        None => Assignment::Application,
        Some(text) => Assignment::named(text).ok_or("assignment is person or application")?,
    };
    let area_code = owned(8);
    if area_code.as_ref().is_some_and(|area| area.len() > 8 || !area.bytes().all(|b| b.is_ascii_digit())) {
        return Err("area_code is up to 8 digits".into());
    }
    Ok(Offer {
        country: country.to_ascii_uppercase(),
        kind,
        assignment,
        capabilities,
        cost: cost(fields[6], fields[7])?,
        area_code,
        locality: owned(9),
        division: division(fields[10], fields[11])?,
        not_for_resale: truth(fields[12])?,
        operator: operator(fields[13], fields[14], fields[15])?,
    })
}

/// `1`, `1.5` or `1.50`, in the currency.
fn cost(amount: Option<&str>, currency: Option<&str>) -> Result<Cost, String> {
    let currency = currency.unwrap_or("USD");
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err("currency is three letters of ISO 4217, such as USD".into());
    }
    let currency = currency.to_ascii_uppercase();
    let (whole, part) = amount.map_or(("0", ""), |text| text.split_once('.').unwrap_or((text, "")));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let part = match part.len() {
        0 => "00".to_owned(),
        1 => format!("{part}0"),
        _ => part.to_owned(),
    };
    let good = (1..=7).contains(&whole.len()) && part.len() == 2 && digits(whole) && digits(&part);
    let cents = format!("{whole}{part}").parse().ok().filter(|_| good);
    cents.map(|cents| Cost { cents, currency }).ok_or_else(|| "cost is an amount such as 1 or 1.50".into())
}

fn division(short: Option<&str>, name: Option<&str>) -> Result<Option<Division>, String> {
    match (short, name) {
        (None, None) => Ok(None),
        (Some(short), name) => {
            Ok(Some(Division { short: short.to_owned(), name: name.unwrap_or(short).to_owned() }))
        }
        (None, Some(_)) => Err("division_name needs a division, its short name".into()),
    }
}

fn truth(text: Option<&str>) -> Result<bool, String> {
    match text {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err("not_for_resale is true or false".into()),
    }
}

fn operator(name: Option<&str>, mcc: Option<&str>, mnc: Option<&str>) -> Result<Option<Operator>, String> {
    let digits = |code: Option<&str>, lengths: &[usize]| {
        code.is_none_or(|code| lengths.contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit()))
    };
    if !digits(mcc, &[3]) || !digits(mnc, &[2, 3]) {
        return Err("mcc is three digits, mnc two or three".into());
    }
    match name {
        None if mcc.is_some() || mnc.is_some() => Err("mcc and mnc need the name of the operator".into()),
        None => Ok(None),
        Some(name) => Ok(Some(Operator {
            name: name.to_owned(),
            country_code: mcc.map(str::to_owned),
            network_code: mnc.map(str::to_owned),
        })),
    }
}

/// The records of a CSV text, each with the line it begins in. Blank lines and lines that begin with `#` are left out.
fn records(text: &str) -> impl Iterator<Item = Result<(usize, Vec<String>), Fault>> + '_ {
    let mut rest = text;
    let mut line = 1;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            if let Some(first) = rest.lines().next()
                && (first.trim().is_empty() || first.starts_with('#'))
            {
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
                line += 1;
                continue;
            }
            let began = line;
            let (record, after, lines) = record(rest);
            rest = after;
            line += lines;
            return Some(match record {
                Some(fields) => Ok((began, fields)),
                None => Err(Fault::new(began, "a quotation mark is not closed, or stands within a field")),
            });
        }
    })
}

/// One record from the front of `text`, what follows it, and how many lines it took. After a fault the rest of the line
/// is left out.
fn record(text: &str) -> (Option<Vec<String>>, &str, usize) {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let (mut lines, mut begun) = (1, false);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if quoted => match chars.peek() {
                Some((_, '"')) => {
                    chars.next();
                    field.push('"');
                }
                None | Some((_, ',' | '\n' | '\r')) => quoted = false,
                Some(_) => return (None, skip_line(&text[at..]), lines),
            },
            '"' if !begun => (quoted, begun) = (true, true),
            '"' => return (None, skip_line(&text[at..]), lines),
            ',' if !quoted => {
                fields.push(std::mem::take(&mut field));
                begun = false;
            }
            '\n' if !quoted => {
                fields.push(field);
                return (Some(fields), &text[at + 1..], lines);
            }
            '\r' if !quoted => {}
            other => {
                lines += usize::from(other == '\n');
                begun = true;
                field.push(other);
            }
        }
    }
    fields.push(field);
    ((!quoted).then_some(fields), "", lines)
}

fn skip_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
