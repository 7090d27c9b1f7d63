//! The rows, by area.

use super::Operation;

mod arm;
mod arm_email;
mod arm_insights;
mod call_automation;
mod chat;
mod family;
mod identity;
mod job_router;
mod numbers;
mod product;
mod services;

const AREAS: [&[Operation]; 10] = [
    chat::ROWS,
    identity::ROWS,
    product::ROWS,
    services::ROWS,
    numbers::ROWS,
    call_automation::ROWS,
    job_router::ROWS,
    arm::ROWS,
    arm_email::ROWS,
    arm_insights::ROWS,
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
