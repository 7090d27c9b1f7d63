//! Tests of what outcomes come to.

use super::*;

fn reply(code: u16, enhanced: Option<&str>, text: &str) -> SmtpReply {
    SmtpReply {
        code,
        enhanced: enhanced.map(str::to_owned),
        text: text.to_owned().into(),
        host: "mx.example.com".to_owned(),
    }
}

fn later() -> MailOutcome {
    MailOutcome::Later { reply: None, reason: "no answer".to_owned() }
}

fn statuses(settled: &Settled) -> Vec<(u16, Status)> {
    settled.endings.iter().map(|ending| (ending.place, ending.status)).collect()
}

#[test]
fn each_outcome_goes_to_its_recipient() {
    let outcomes = [
        MailOutcome::Accepted(reply(250, Some("2.0.0"), "ok")),
        later(),
        MailOutcome::Refused(reply(550, Some("5.1.1"), "no such user")),
    ];
    let settled = Settled::from(&[4, 7, 9], &outcomes, false);
    assert_eq!(statuses(&settled), [(4, Status::Delivered), (9, Status::Bounced)]);
    assert_eq!((settled.open, settled.heard), (1, true));
    assert_eq!(settled.endings[1].detail.expose(), "550 5.1.1 no such user");
    assert_eq!(settled.endings[1].host.as_deref(), Some("mx.example.com"));
}

#[test]
fn what_is_late_ends_only_when_time_is_over() {
    let waits = Settled::from(&[0], &[later()], false);
    assert_eq!((waits.endings.len(), waits.open, waits.heard), (0, 1, false));
    let over = Settled::from(&[0], &[later()], true);
    assert_eq!((statuses(&over), over.open, over.heard), (vec![(0, Status::Failed)], 0, false));
    assert_eq!(over.endings[0].detail.expose(), "no answer");
}

#[test]
fn what_a_channel_leaves_out_is_not_lost() {
    let waits = Settled::from(&[0, 1], &[MailOutcome::Accepted(reply(250, None, ""))], false);
    assert_eq!((statuses(&waits), waits.open), (vec![(0, Status::Delivered)], 1));
    let over = Settled::from(&[0, 1], &[], true);
    assert_eq!(statuses(&over), [(0, Status::Failed), (1, Status::Failed)]);
}

#[test]
fn the_kind_of_outcome_counts_where_the_code_says_nothing() {
    let outcomes =
        [MailOutcome::Accepted(reply(0, None, "")), MailOutcome::Refused(reply(450, None, "busy"))];
    let settled = Settled::from(&[0, 1], &outcomes, false);
    assert_eq!(statuses(&settled), [(0, Status::Delivered), (1, Status::Failed)]);
    assert!(settled.heard && settled.open == 0);
}
