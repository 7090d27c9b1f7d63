//! Long-running operations, as clients name and ask for them.

use std::fmt;
use std::str::FromStr;

use base::{EntryId, Personal};
use store::Draft;

use super::desk::NumbersDesk;
use super::error::NumbersError;
use super::rows::{OperationFailure, OperationKind, OperationRow, Operations};

/// The name of an operation: `search_` and an id, for example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationName {
    /// What it does.
    pub kind: OperationKind,
    /// Its id.
    pub id: EntryId,
}

const PREFIXES: [(OperationKind, &str); 5] = [
    (OperationKind::Search, "search_"),
    (OperationKind::Purchase, "purchase_"),
    (OperationKind::Release, "release_"),
    (OperationKind::Capabilities, "capabilities_"),
    (OperationKind::PurchaseReservation, "reservation-purchase_"),
];

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = PREFIXES.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, prefix)| prefix);
        write!(f, "{prefix}{}", self.id)
    }
}

impl FromStr for OperationName {
    type Err = NumbersError;

    fn from_str(text: &str) -> Result<Self, NumbersError> {
        let found = PREFIXES.iter().find_map(|(kind, prefix)| {
            let id = text.strip_prefix(prefix)?.parse().ok()?;
            Some(Self { kind: *kind, id })
        });
        found.ok_or(NumbersError::OperationUnknown)
    }
}

impl NumbersDesk<'_> {
    /// Adds an operation that is done to the commit that does it.
    pub(super) fn done(
        &self,
        draft: &mut Draft,
        name: OperationName,
        result: Option<String>,
        failure: Option<OperationFailure>,
    ) -> Result<(), NumbersError> {
        let result = result.map(Personal::new);
        let row = OperationRow { kind: name.kind, created: self.now(), result, failure };
        draft.expect_absent::<Operations>(&name.id);
        draft.put_in_resource::<Operations>(&name.id, &row, &[])?;
        Ok(())
    }

    /// What came of an operation.
    ///
    /// # Errors
    /// [`NumbersError::OperationUnknown`].
    pub async fn operation(&self, name: OperationName) -> Result<OperationRow, NumbersError> {
        let mut reader = self.cell.read(self.resource).await?;
        let found = reader.get::<Operations>(&name.id).await?;
        let found = found.map(|found| found.value).filter(|row| row.kind == name.kind);
        found.ok_or(NumbersError::OperationUnknown)
    }

    /// Cancels an operation. As each is done when it is accepted there is nothing left to stop, and what is done is not
    /// undone (as in ACS).
    ///
    /// # Errors
    /// [`NumbersError::OperationUnknown`].
    pub async fn cancel(&self, name: OperationName) -> Result<(), NumbersError> {
        self.operation(name).await.map(|_| ())
    }
}

#[cfg(test)]
mod name_tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_unknown() {
        let id = EntryId::from_bytes([5; 16]);
        for (kind, _) in PREFIXES {
            let name = OperationName { kind, id };
            assert_eq!(name.to_string().parse::<OperationName>().unwrap(), name);
        }
        for bad in
            ["", "search_", "search_x", &id.to_string(), &format!("dance_{id}"), &format!("Search_{id}")]
        {
            assert!(bad.parse::<OperationName>().is_err(), "{bad}");
        }
    }
}
