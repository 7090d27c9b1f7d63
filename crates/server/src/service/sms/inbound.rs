//! Texts that come in: to the resource that holds the number, as an event; keywords are followed and answered.

use std::sync::Arc;

use post::text::keyword::{Keyword, Kind};
use post::text::number::Sender;
use store::{Draft, StoreError};

use super::report::{incoming, uuid};
use super::rows::{Due, DueRow, OptOutBy, text_scope};
use super::{CarrierDesk, Counts, RECEIVED, RECEIVED_KEPT, TextDesk, subject};
use crate::channel::TextIn;
use crate::directory::ResourceEntry;
use crate::service::events::Event;
use crate::service::numbers;

impl CarrierDesk<'_> {
    /// Takes a text. `false`: it could not be kept, and must be brought again.
    pub async fn text(&self, text: &TextIn) -> bool {
        match self.take(text).await {
            Ok(()) => true,
            Err(fault) => {
                tracing::warn!(carrier = text.carrier, %fault, "a text that came in could not be kept");
                false
            }
        }
    }

    async fn take(&self, text: &TextIn) -> Result<(), StoreError> {
        let Some((resource, kind)) = self.holder(text).await? else {
            Counts::one(&self.with.state.counts.unowned);
            tracing::warn!(carrier = text.carrier, "a text came in for a number that no resource here holds");
            return Ok(());
        };
        let desk = TextDesk { resource, with: self.with };
        desk.received(text, kind).await
    }

    /// Whose number a text came to, and what kind it is.
    async fn holder(&self, text: &TextIn) -> Result<Option<(&Arc<ResourceEntry>, Kind)>, StoreError> {
        let Some(to) = Sender::parse(text.to.expose()) else { return Ok(None) };
        let mut mine = self.resources.iter().filter(|one| one.geography() == self.cell.geography());
        if let (Sender::Number(digits), Ok(number)) = (to, text.to.expose().parse()) {
            let holder = numbers::holder(self.cell, &number).await?;
            let found = mine.find(|one| Some(one.id()) == holder);
            return Ok(found.map(|found| (found, Kind::of_number(digits))));
        }
        // Nobody can answer a name.
        let code = matches!(to, Sender::ShortCode(_));
        Ok(mine.filter(|_| code).find_map(|one| Some((one, one.senders().kind(to)?))))
    }
}

impl TextDesk<'_> {
    /// Tells of a text that came in, and follows it when it is a keyword, in one commit.
    async fn received(&self, text: &TextIn, kind: Kind) -> Result<(), StoreError> {
        let mut draft = self.draft().await?;
        let told = self.tell(&mut draft, text)?;
        let keyword = Keyword::read(text.text.expose());
        let handling = keyword.map(|keyword| kind.handling(keyword)).unwrap_or_default();
        if handling.listed {
            let to = self.addressee(&text.to, kind).await?;
            match keyword {
                Some(Keyword::Stop) => self.list(&mut draft, &to, &text.from, OptOutBy::Keyword).await?,
                _ => self.unlist(&mut draft, &to, &text.from).await?,
            }
        }
        // Only a number can be answered.
        let reply = handling.reply.filter(|_| post::text::number::is_e164(text.from.expose()));
        let answer = reply.map(|reply| self.answer(&mut draft, &text.to, &text.from, reply)).transpose()?;
        if !told && !handling.listed && answer.is_none() {
            return Ok(());
        }
        draft.commit().await?;
        match answer {
            Some(answer) => self.answered(answer),
            None => self.with.events.wake(),
        }
        Ok(())
    }

    /// Puts the event into the commit; `false` when nobody wants it.
    fn tell(&self, draft: &mut Draft, text: &TextIn) -> Result<bool, StoreError> {
        if !self.with.events.wants(self.id(), RECEIVED) {
            return Ok(false);
        }
        let (now, id) = (self.now(), uuid(self.with.rng.id()));
        let received = wire::sms::Received {
            message_id: incoming(now, &id),
            from: text.from.clone(),
            to: text.to.clone(),
            message: text.text.clone(),
            received: now,
            segments: text.segments,
        };
        let event = Event {
            kind: RECEIVED,
            subject: subject(&text.to),
            data: received.render().into(),
            at: now,
            id: Some(received.message_id),
        };
        let scope = draft.new_scope_key(text_scope(&id))?;
        self.with.events.publish(draft, self.cell().geography(), &event, &scope)?;
        let key = (now.plus(RECEIVED_KEPT), self.with.rng.id());
        draft.put_in_resource::<Due>(&key, &DueRow::Received(vec![id]), &[])?;
        Ok(true)
    }
}
