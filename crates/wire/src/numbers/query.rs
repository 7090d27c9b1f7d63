//! What the lists of what is offered may be narrowed by.

use base::phone::{Assignment, NumberType};

use super::request::{assignment, kind};
use crate::{ApiError, Query};

/// The longest name of a place, in bytes.
const MAX_PLACE: usize = 128;

/// The query of area codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AreaCodes {
    /// What kind of numbers.
    pub kind: NumberType,
    /// Who they are for.
    pub assignment: Option<Assignment>,
    /// Of which place.
    pub locality: Option<String>,
    /// In which state or province.
    pub division: Option<String>,
}

impl AreaCodes {
    /// Reads the query.
    ///
    /// # Errors
    /// 400 when the type is missing, or a value is unknown.
    pub fn parse(query: &Query<'_>) -> Result<Self, ApiError> {
        let asked = Offerings::parse(query)?;
        let missing = || ApiError::validation("phoneNumberType", "phoneNumberType must be given.");
        Ok(Self {
            kind: asked.kind.ok_or_else(missing)?,
            assignment: asked.assignment,
            locality: place(query, "locality")?,
            division: place(query, "administrativeDivision")?,
        })
    }
}

/// The query of localities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Localities {
    /// What kind of numbers.
    pub kind: Option<NumberType>,
    /// In which state or province.
    pub division: Option<String>,
}

impl Localities {
    /// Reads the query.
    ///
    /// # Errors
    /// 400 when a value is unknown.
    pub fn parse(query: &Query<'_>) -> Result<Self, ApiError> {
        let kind = Offerings::parse(query)?.kind;
        Ok(Self { kind, division: place(query, "administrativeDivision")? })
    }
}

/// The query of offerings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offerings {
    /// What kind of numbers.
    pub kind: Option<NumberType>,
    /// Who they are for.
    pub assignment: Option<Assignment>,
}

impl Offerings {
    /// Reads the query.
    ///
    /// # Errors
    /// 400 when a value is unknown.
    pub fn parse(query: &Query<'_>) -> Result<Self, ApiError> {
        let given = |text: &&str| !text.is_empty();
        Ok(Self {
            kind: query.single("phoneNumberType")?.filter(given).map(kind).transpose()?,
            assignment: query.single("assignmentType")?.filter(given).map(assignment).transpose()?,
        })
    }
}

fn place(query: &Query<'_>, name: &'static str) -> Result<Option<String>, ApiError> {
    let Some(text) = query.single(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > MAX_PLACE {
        return Err(ApiError::validation(name, format!("{name} may have {MAX_PLACE} bytes.")));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Query<'_> {
        Query::parse(Some(text)).unwrap()
    }

    fn refused<T: std::fmt::Debug>(outcome: Result<T, ApiError>, target: &str) {
        let error = outcome.unwrap_err();
        assert_eq!((error.status(), error.target()), (400, Some(target)), "{error}");
    }

    #[test]
    fn area_codes_need_a_type_and_may_name_a_place() {
        let text = "phoneNumberType=geographic&locality=New%20York&administrativeDivision=NY";
        let asked = AreaCodes::parse(&read(text)).unwrap();
        assert_eq!((asked.locality.as_deref(), asked.division.as_deref()), (Some("New York"), Some("NY")));
        refused(AreaCodes::parse(&read("assignmentType=person")), "phoneNumberType");
        let place = |bytes| format!("phoneNumberType=mobile&locality={}", "x".repeat(bytes));
        assert!(AreaCodes::parse(&read(&place(MAX_PLACE))).is_ok());
        refused(AreaCodes::parse(&read(&place(MAX_PLACE + 1))), "locality");
    }

    #[test]
    fn values_that_nobody_knows_are_refused() {
        refused(Offerings::parse(&read("assignmentType=robot")), "assignmentType");
        refused(Localities::parse(&read("phoneNumberType=x")), "phoneNumberType");
        assert_eq!(
            Offerings::parse(&read("phoneNumberType=")),
            Ok(Offerings { kind: None, assignment: None })
        );
    }
}
