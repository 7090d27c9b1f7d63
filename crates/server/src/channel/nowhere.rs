//! Where nothing leaves: the channel of cells for which no way out is configured. What is accepted there waits, tried again
//! like anything that cannot be delivered yet, so that it comes to its end at its deadline and not never.

use guard::BoxFuture;

use super::{MailChannel, MailOutcome, MailParcel, TextChannel, TextOutcome, TextParcel};

const REASON: &str = "no way out is configured";

/// No way out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl MailChannel for Nowhere {
    fn deliver<'a>(&'a self, parcel: &'a MailParcel) -> BoxFuture<'a, Vec<MailOutcome>> {
        let later = MailOutcome::Later { reply: None, reason: REASON.to_owned() };
        Box::pin(std::future::ready(vec![later; parcel.recipients.len()]))
    }
}

impl TextChannel for Nowhere {
    fn submit<'a>(&'a self, _parcel: &'a TextParcel) -> BoxFuture<'a, TextOutcome> {
        Box::pin(std::future::ready(TextOutcome::Later { reason: REASON.to_owned(), after: None }))
    }
}

#[cfg(test)]
mod tests {
    use base::{Personal, ResourceId};

    use super::*;

    #[tokio::test]
    async fn everyone_is_told_to_come_again() {
        let recipients =
            vec![Personal::new("a@b.example".to_owned()), Personal::new("c@b.example".to_owned())];
        let parcel = MailParcel {
            id: [1; 16],
            resource: ResourceId::CELL,
            return_path: Personal::new(String::new()),
            recipients,
            destination: Personal::new("b.example".to_owned()),
            message: Personal::new(Vec::new()),
        };
        let said = Nowhere.deliver(&parcel).await;
        assert_eq!(said.len(), 2);
        assert!(said.iter().all(|one| matches!(one, MailOutcome::Later { reply: None, .. })));
    }
}
