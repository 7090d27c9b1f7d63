//! The promises of [`store::Engine`], one function each, run on every engine.

mod commits;
mod model;
mod reads;

use crate::subject::{Memory, Postgres, Sqlite};

/// Makes a test of each promise for each engine.
macro_rules! contract {
    ($($module:ident :: $promise:ident),+ $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $promise() {
                super::$module::$promise(&mut super::Memory::new().await).await;
            })+
        }
        mod sqlite {
            $(#[tokio::test]
            async fn $promise() {
                super::$module::$promise(&mut super::Sqlite::new().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $promise() {
                super::$module::$promise(&mut super::Postgres::new().await).await;
            })+
        }
    };
}

contract!(
    reads::reads_back_what_was_put,
    reads::reads_many_in_the_order_asked,
    reads::scans_every_range_both_ways,
    reads::scans_no_more_than_the_limit,
    reads::keeps_resources_and_keyspaces_apart,
    reads::lists_resources_that_have_rows,
    reads::shows_one_moment_while_writers_go_on,
    reads::a_view_does_not_change,
    reads::keeps_everything_when_opened_again,
    reads::refuses_everything_when_closed,
    reads::refuses_keyspaces_that_were_not_prepared,
    commits::counts_versions,
    commits::checks_each_precondition,
    commits::writes_nothing_when_one_precondition_fails,
    commits::sees_the_batch_so_far,
    commits::leaves_neighbours_alone,
    commits::knows_the_last_of_a_prefix,
    commits::knows_the_last_after_deletes_in_the_batch,
    commits::takes_what_is_at_the_limit_and_not_past_it,
    commits::takes_many_rows_at_once,
    commits::does_nothing_for_nothing,
    commits::serialises_concurrent_batches,
    model::agrees_with_a_map,
);
