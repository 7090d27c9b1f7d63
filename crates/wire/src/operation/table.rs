//! The rows, by area.

use super::Operation;

mod arm;
mod arm_email;
mod arm_insights;
mod call_automation;
mod chat;
mod email;
mod family;
mod identity;
mod job_router;
mod numbers;
mod operator;
mod operator_email;
mod operator_events;
mod operator_keys;
mod operator_numbers;
mod operator_outbox;
mod operator_queue;
mod operator_sms;
mod operator_smtp;
mod product;
mod push;
mod services;
mod sms;

const AREAS: [&[Operation]; 21] = [
    chat::ROWS,
    push::ROWS,
    identity::ROWS,
    product::ROWS,
    email::ROWS,
    sms::ROWS,
    services::ROWS,
    numbers::ROWS,
    call_automation::ROWS,
    job_router::ROWS,
    arm::ROWS,
    arm_email::ROWS,
    arm_insights::ROWS,
    operator_numbers::ROWS,
    operator_email::ROWS,
    operator_sms::ROWS,
    operator_smtp::ROWS,
    operator_events::ROWS,
    operator_queue::ROWS,
    operator_keys::ROWS,
    operator_outbox::ROWS,
];

const COUNT: usize = {
    let (mut count, mut area) = (0, 0);
    while area < AREAS.len() {
        count += AREAS[area].len();
        area += 1;
    }
    count
};

/// Every operation, the most frequent areas first.
pub static OPERATIONS: &[&Operation] = &gather();

const fn gather() -> [&'static Operation; COUNT] {
    let mut all = [&AREAS[0][0]; COUNT];
    let (mut at, mut area) = (0, 0);
    while area < AREAS.len() {
        let mut row = 0;
        while row < AREAS[area].len() {
            all[at] = &AREAS[area][row];
            at += 1;
            row += 1;
        }
        area += 1;
    }
    all
}
