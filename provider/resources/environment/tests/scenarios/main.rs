//! Whole lives of environments, driven as Terraform core drives them. Each is played against a fake API server, and, with
//! FFE_TEST_KUBECONFIG set, against the cluster of that kubeconfig too, but for those that need what a real one does not do when told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fake;
mod foreign;
mod life;
mod together;
mod trouble;
mod world;

use std::process::ExitCode;

use ffe_surroundings::Needs;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::world::Place;

fn on_runtime(scenario: impl Future<Output = ()>) -> Result<(), Failed> {
    tokio::runtime::Runtime::new()?.block_on(scenario);
    Ok(())
}

/// A scenario in both places.
macro_rules! everywhere {
    ($trials:ident, $cluster:ident, $($module:ident :: $name:ident),* $(,)?) => { $(
        let name = concat!(stringify!($module), "::", stringify!($name));
        $trials.push(Trial::test(format!("fake::{name}"), || on_runtime($module::$name(Place::Fake))));
        let place = Place::Cluster($cluster.get(KUBECONFIG));
        $trials.push($cluster.trial(format!("cluster::{name}"), || on_runtime($module::$name(place))));
    )* };
}

/// A scenario with the fake alone.
macro_rules! with_the_fake {
    ($trials:ident, $($module:ident :: $name:ident),* $(,)?) => { $(
        let name = concat!("fake::", stringify!($module), "::", stringify!($name));
        $trials.push(Trial::test(name, || on_runtime($module::$name())));
    )* };
}

const KUBECONFIG: &str = "FFE_TEST_KUBECONFIG";

fn trials() -> Vec<Trial> {
    let cluster = Needs::variables(&[KUBECONFIG]);
    let mut trials = Vec::new();
    everywhere!(
        trials,
        cluster,
        life::an_environment_with_a_database_lives_and_dies,
        life::what_was_changed_or_deleted_behind_terraform_shows_and_is_put_right,
        life::a_version_speaks_for_the_secrets_when_it_is_set,
        life::an_external_database_is_a_secret_and_nothing_else,
        life::deletion_protection_holds_against_destroy_and_replacement,
        foreign::a_namespace_of_somebody_else_is_refused_with_the_import_line,
        foreign::what_was_adopted_is_given_back_and_what_was_made_in_it_goes,
        foreign::a_foreign_namespace_is_imported_in_place_and_stays_when_destroyed,
        foreign::a_finished_environment_of_another_state_is_refused,
        foreign::of_two_states_that_make_one_environment_one_wins,
        foreign::what_lost_its_state_and_its_mark_is_imported_and_not_made_anew,
        foreign::what_was_there_before_is_given_back_with_its_values,
        foreign::what_somebody_made_anew_is_theirs_and_what_lost_its_mark_is_ours,
        foreign::pods_that_a_level_would_not_admit_are_named,
        foreign::what_does_not_exist_cannot_be_imported,
        trouble::changes_that_would_lose_data_are_refused_at_plan,
        trouble::a_create_that_fails_leaves_no_state_says_what_remains_and_is_resumed,
        trouble::an_update_that_fails_keeps_what_is_true_and_the_next_plan_goes_on,
        trouble::a_create_that_is_interrupted_while_it_waits_is_resumed,
        trouble::a_create_that_is_killed_converges_without_destroying_anything,
    );
    with_the_fake!(
        trials,
        foreign::a_namespace_keeps_its_level_and_its_pods_are_named_where_it_does_not,
        foreign::a_namespace_that_comes_in_the_same_run_is_taken_over_as_it_is,
        foreign::an_object_of_somebody_else_in_the_namespace_is_refused_before_anything_is_written,
        life::a_volume_grows_where_its_class_lets_it,
        life::a_volume_that_grows_only_out_of_use_grows_while_the_server_is_stopped,
        life::what_a_change_does_not_touch_stays_known,
        life::what_restarts_the_database_is_said,
        life::a_large_configuration_is_kept_once,
        together::of_two_creates_one_wins_at_whichever_write_the_other_comes,
        together::a_create_that_died_is_gone_on_with_at_whichever_write_it_died,
        together::updates_and_destroys_wait_for_nobody_and_change_nothing_beside_another_run,
        together::a_create_beside_a_destroy_waits_for_the_namespace_or_is_refused,
        together::a_lease_is_left_where_it_guards_something_and_nowhere_else,
        trouble::another_image_of_the_surroundings_changes_no_database_that_exists,
        trouble::an_image_of_another_flavour_is_refused,
        trouble::bad_input_is_named_with_its_path,
        trouble::another_cluster_is_noticed_and_nothing_is_dropped_or_touched,
        trouble::no_answer_is_no_proof_of_absence,
        trouble::a_missing_permission_is_named_and_the_create_goes_on_when_it_is_given,
        trouble::the_surroundings_image_is_named_when_it_contradicts_the_version,
        trouble::an_unknown_provider_configuration_never_fails_a_plan,
        trouble::a_plan_without_changes_writes_nothing,
        trouble::a_configuration_with_unknowns_is_planned_and_applied,
    );
    trials
}

fn main() -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}
