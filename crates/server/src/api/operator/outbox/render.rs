//! Items of the outbox as they are told.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use post::outbox::MailView;
use post::text::segment::{Coding, Size, measure};
use wire::outbox::view::{Attachment, Delivered, Header, Item, Mail, Summary, Text};

use crate::service::outbox::{ItemId, ItemRow, Kind, What, hex};

/// An item in the list.
pub(super) fn summary(id: &ItemId, row: &ItemRow) -> Summary {
    let (subject, size) = match &row.what {
        What::Mail { subject, size, .. } => {
            (Some(subject.expose().clone()), usize::try_from(*size).unwrap_or(usize::MAX))
        }
        What::Text { text, .. } => (None, segments(text.expose()).segments),
    };
    let to = row.to.iter().map(|one| Delivered {
        address: one.address.expose().clone(),
        outcome: one.outcome.name(),
        attempts: one.attempts,
        rule: one.rule.map(wire::outbox::Action::name),
    });
    Summary {
        id: hex(id),
        kind: if row.kind() == Kind::Mail { "mail" } else { "text" },
        at: row.at.to_iso(),
        message_id: uuid(&row.message),
        from: row.from.expose().clone(),
        to: to.collect(),
        subject,
        preview: row.preview.expose().clone(),
        size,
    }
}

/// An item with all that is known of it.
pub(super) fn item(id: &ItemId, row: &ItemRow, message: &[u8]) -> Item {
    let summary = summary(id, row);
    match &row.what {
        What::Mail { return_paths, .. } => {
            let view = MailView::read(message);
            let attachments = view.attachments.into_iter().map(|one| Attachment {
                name: one.name,
                content_type: one.content_type,
                content_id: one.content_id,
                size: one.content.len(),
                content: STANDARD.encode(&one.content),
            });
            let mail = Mail {
                raw: STANDARD.encode(message),
                return_paths: return_paths.iter().map(|path| path.expose().clone()).collect(),
                headers: view.headers.into_iter().map(|(name, value)| Header { name, value }).collect(),
                text: view.text,
                html: view.html,
                attachments: attachments.collect(),
            };
            Item { summary, mail: Some(mail), text: None }
        }
        What::Text { text, receipt } => {
            let size = segments(text.expose());
            let encoding = match size.coding {
                Coding::Gsm(_) => "gsm7",
                Coding::Ucs2 => "ucs2",
            };
            let text =
                Text { text: text.expose().clone(), segments: size.segments, encoding, receipt: *receipt };
            Item { summary, mail: None, text: Some(text) }
        }
    }
}

fn segments(text: &str) -> Size {
    let unknown = Size { coding: Coding::Ucs2, segments: usize::MAX };
    measure(text, &[]).unwrap_or(unknown)
}

/// As the API told it: mail ids are UUIDs.
fn uuid(id: &[u8; 16]) -> String {
    let digits = hex(id);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids() {
        assert_eq!(uuid(&[0xAB; 16]), "abababab-abab-abab-abab-abababababab");
    }
}
