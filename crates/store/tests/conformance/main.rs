//! What every store must do, whatever it keeps its rows in: the port's contract as tests against `&dyn Store`.
//!
//! [`suite!`] runs all of it against one kind of store, given a function that makes a new [`Place`](place::Place) where one can be opened.
//! Where to start reading: `world` for how tests get changes that fit together (from a real core), `model` for what the rows must say
//! then, `history` for random histories, the other files for one area each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod array;
mod atomic;
mod event;
mod fixture;
mod history;
mod job;
mod list;
mod model;
mod place;
mod purge;
mod registry;
mod show;
mod world;

/// The tests, each run at a new place that `$place` makes.
macro_rules! suite {
    ($store:ident, $place:expr, [$($area:ident :: $test:ident),* $(,)?]) => {
        mod $store {
            #[test]
            fn a_core_restored_from_the_store_is_the_core_that_made_the_changes() {
                crate::history::a_core_restored_from_the_store_is_the_core_that_made_the_changes(&$place);
            }

            $(
                #[test]
                fn $test() {
                    crate::$area::$test(&$place());
                }
            )*
        }
    };
}

/// All tests against one kind of store.
macro_rules! conformance {
    ($store:ident, $place:expr) => {
        suite!(
            $store,
            $place,
            [
                atomic::an_empty_store_has_nothing,
                atomic::what_was_committed_is_there_when_opened_again,
                atomic::a_batch_that_fails_leaves_nothing,
                atomic::a_probe_leaves_nothing,
                atomic::reads_see_whole_batches,
                registry::environments_are_found_by_name_and_in_pages,
                registry::queues_are_found_by_name_and_in_pages,
                registry::names_are_free_again_when_their_owner_is_gone,
                registry::definitions_are_found_by_revision_and_in_pages,
                registry::items_are_found_by_key_and_in_pages,
                registry::tags_follow_their_resource,
                job::a_job_goes_from_submission_to_its_end,
                job::a_retried_job_shows_its_last_attempt,
                job::a_job_that_gave_way_says_so_and_counts_it,
                job::a_service_job_is_scheduled_before_it_is_prepared,
                job::stops_are_noted_where_they_were_asked_for,
                job::jobs_come_in_the_order_asked_for,
                job::a_launch_is_what_was_submitted,
                job::the_journal_has_only_the_identifier_of_a_submission,
                array::children_have_rows_or_are_made_up,
                array::a_stopped_array_says_so_on_its_children,
                array::an_array_of_a_million_costs_next_to_nothing,
                array::how_an_array_ended_is_known_child_by_child,
                list::lists_are_newest_first_in_pages,
                list::every_filter_finds_what_it_says,
                list::children_are_listed_by_index_and_status,
                list::jobs_are_found_by_share_and_by_what_they_take,
                list::counts_are_of_singles_and_children,
                list::service_jobs_are_found_by_quota_share_and_keep_their_new_priority,
                event::events_come_in_order_and_numbers_are_never_used_again,
                event::children_and_reasons_come_back,
                purge::only_what_ended_before_goes,
                purge::a_purge_takes_no_more_than_its_limit,
                purge::an_array_goes_as_a_whole,
                purge::old_definitions_leave_only_their_number,
                purge::journal_entries_go_by_age,
            ]
        );
    };
}

conformance!(sqlite, crate::place::Sqlite::new);
