//! What CONTRACT.md asks of a server, as checks that ask it over HTTP and know nothing of it but its command: `bakeoff
//! conform` runs them against any server, `tests/conformance` against the models and the contenders.
//!
//! A check is written as a test is: it panics at the first difference. [`Requirement::check`] gives that as a value.

pub mod bodies;
pub mod client;
mod concurrency;
mod ending;
mod gateway;
pub mod malformed;
mod protocol;
mod routes;
pub mod server;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use server::{CAME, TestedServer};

/// A server that is checked, and in what its library differs from others as CONTRACT.md allows.
pub trait Subject: Sync {
    /// What starts it, with its stdin. A check sets the variables of the contract.
    fn command(&self) -> Command;

    /// Whether the command is one of [`server::supervised`].
    fn is_supervised(&self) -> bool {
        false
    }

    /// Where it runs already.
    fn address(&self) -> Option<SocketAddr> {
        None
    }

    /// What `/healthz` must call it.
    fn name(&self) -> Option<&str> {
        None
    }

    /// What `/healthz` must say of its runtime before the version.
    fn runtime(&self) -> Option<&str> {
        None
    }

    /// Whether it takes a byte order mark before a body for nothing, as body-parser does.
    fn reads_over_a_byte_order_mark(&self) -> bool {
        false
    }

    /// Whether it takes a request line without a version for HTTP/0.9, as Node.js does.
    fn speaks_http_0_9(&self) -> bool {
        false
    }

    /// Whether it may close a connection with `connection: close` after a refusal, as Tomcat does and HTTP allows.
    fn closes_after_refusals(&self) -> bool {
        true
    }

    /// Whether it grants a connection that has sent nothing all of the 5 s that its end may take, as Go does.
    fn waits_for_the_silent(&self) -> bool {
        false
    }

    /// So many signature rounds, or about as much work where each of them costs more.
    fn rounds(&self, count: u32) -> u32 {
        count
    }

    /// So many accounts, or fewer where each of them costs round trips to a database.
    fn accounts(&self, count: u32) -> u32 {
        count
    }
}

/// One check.
pub struct Requirement {
    pub name: &'static str,
    /// The heading of CONTRACT.md below which it is required.
    pub section: &'static str,
    /// It panics at the first difference.
    pub run: fn(&dyn Subject),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    /// None where the message of `came` says both.
    pub expected: Option<String>,
    pub came: String,
}

impl Requirement {
    /// Whether a server that runs already, and has had no other requests, can be asked this: it needs no server of its
    /// own, and changes nothing.
    pub fn is_for_a_running_server(&self) -> bool {
        ON_A_RUNNING_SERVER.contains(&self.name)
    }

    /// # Errors
    /// The first difference.
    pub fn check(&self, subject: &dyn Subject) -> Result<(), Differs> {
        catch_unwind(AssertUnwindSafe(|| (self.run)(subject))).map_err(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("a check failed without a message");
            match text.split_once(CAME) {
                Some((expected, came)) => {
                    Differs { expected: Some(expected.into()), came: came.into() }
                }
                None => Differs { expected: None, came: text.into() },
            }
        })
    }
}

/// # Errors
/// Why the server does not start, or nobody listens.
pub fn starts(subject: &dyn Subject) -> Result<(), String> {
    TestedServer::begin(subject, &[]).map(drop)
}

/// Requirements by their section and topic.
macro_rules! requirements {
    ($($section:literal $topic:ident { $($check:ident,)+ })+) => {
        &[$($(Requirement {
            name: stringify!($check),
            section: $section,
            run: $topic::$check,
        },)+)+]
    };
}

/// What is the same wherever a server has its state.
pub const OF_A_STORE: &[Requirement] = requirements! {
    "Routes" routes {
        the_published_exchanges_hold,
    }
    "Payments" routes {
        a_payment_is_captured_once_and_replayed,
        a_key_with_another_payment_is_a_conflict,
        a_payment_is_declined_for_each_reason,
        a_balance_is_spent_to_the_last_unit,
        payments_of_the_unknown_are_not_found,
    }
    "Loyalty" routes {
        a_distribution_credits_each_account_once,
        an_account_shows_its_points,
        a_distribution_id_with_other_fields_is_a_conflict,
    }
    "Routes" malformed {
        fields_out_of_range_are_unprocessable,
    }
    "Payments" concurrency {
        one_key_from_sixteen_connections_is_captured_once,
        one_balance_is_not_spent_twice,
    }
    "Loyalty" concurrency {
        one_distribution_from_eight_connections_is_credited_once,
    }
    "Audit" concurrency {
        rivals_for_one_key_or_id_have_one_winner,
    }
    "Process" ending {
        a_server_under_load_ends_without_a_broken_answer,
        idle_connections_do_not_delay_the_end,
    }
    "Webhooks" routes {
        an_event_is_kept_once,
        malformed_events_are_refused,
    }
};

/// What every server must do besides.
pub const OF_A_SERVER: &[Requirement] = requirements! {
    "Routes" routes {
        health_names_the_contender_and_null_does_nothing,
        unknown_routes_and_wrong_methods_are_told_apart,
    }
    "Routes" malformed {
        broken_bodies_are_bad_requests,
        bodies_that_are_not_utf_8_are_bad_requests,
        missing_and_ill_typed_fields_are_bad_requests,
        unknown_fields_and_blanks_are_ignored,
        bodies_up_to_the_limit_are_read,
    }
    "Process" malformed {
        too_many_and_too_large_headers_are_refused,
        what_is_no_http_is_refused_and_closed,
    }
    "Process" protocol {
        five_hundred_pipelined_requests_are_answered_in_order,
        a_request_may_come_byte_by_byte,
        a_request_may_be_split_anywhere,
        a_client_that_asks_to_continue_is_told_so,
        a_body_may_be_chunked,
        a_body_that_no_route_reads_is_skipped,
        a_connection_ends_when_it_is_asked_to,
        a_head_has_no_body_and_keeps_the_connection_in_step,
        every_answer_says_when_it_was_made,
    }
    "Process" concurrency {
        half_sent_requests_hold_nobody_up,
        many_connections_stay_open_side_by_side,
        clients_that_vanish_take_nothing_with_them,
    }
    "Process" ending {
        a_half_sent_request_delays_the_end_by_its_seconds_at_most,
        a_port_in_use_is_a_clear_error,
        settings_may_come_from_the_environment,
        a_reader_of_stdout_may_go_away,
    }
    "Gateway" gateway {
        two_upstream_answers_are_joined,
        without_an_upstream_there_is_no_gateway,
    }
};

/// What the models do by their tests and programs of others by these.
pub const OF_A_PROGRAM: &[Requirement] = requirements! {
    "Process" ending {
        settings_that_cannot_be_are_named,
    }
    "Database" ending {
        a_database_that_is_not_there_is_a_clear_error,
    }
};

/// Express reads a body to its end before it refuses its length.
pub const OF_EARLY_REFUSAL: &[Requirement] = requirements! {
    "Routes" malformed {
        a_length_above_the_limit_is_refused_before_the_body,
        a_chunked_body_is_refused_when_it_outgrows_the_limit,
    }
};

/// Node.js ends its half of a connection as soon as the client has, and computes before it reads what else has come.
pub const UNLIKE_NODE: &[Requirement] = requirements! {
    "Process" protocol {
        a_half_closed_client_is_still_answered,
    }
    "Process" concurrency {
        a_thousand_connections_leave_nothing_behind,
    }
    "Process" ending {
        requests_in_hand_are_answered_before_the_end,
    }
};

/// What a server of several processes does.
pub const OF_PROCESSES: &[Requirement] = requirements! {
    "Database" ending {
        workers_that_share_nothing_are_refused,
    }
};

const ON_A_RUNNING_SERVER: &[&str] = &[
    "the_published_exchanges_hold",
    "health_names_the_contender_and_null_does_nothing",
    "unknown_routes_and_wrong_methods_are_told_apart",
    "broken_bodies_are_bad_requests",
    "missing_and_ill_typed_fields_are_bad_requests",
    "fields_out_of_range_are_unprocessable",
    "too_many_and_too_large_headers_are_refused",
    "what_is_no_http_is_refused_and_closed",
    "a_connection_ends_when_it_is_asked_to",
    "a_head_has_no_body_and_keeps_the_connection_in_step",
    "a_length_above_the_limit_is_refused_before_the_body",
];

/// What any server is asked.
pub fn requirements() -> impl Iterator<Item = &'static Requirement> {
    [OF_A_STORE, OF_A_SERVER, OF_A_PROGRAM, OF_EARLY_REFUSAL, UNLIKE_NODE].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_section_is_a_heading_of_the_contract_and_each_name_is_one_check() {
        let contract = include_str!("../../CONTRACT.md");
        let mut names = Vec::new();
        for one in requirements() {
            assert!(contract.contains(&format!("\n## {}\n", one.section)), "{}", one.section);
            assert!(!names.contains(&one.name), "{} twice", one.name);
            names.push(one.name);
        }
        for name in ON_A_RUNNING_SERVER {
            assert!(names.contains(name), "there is no check {name}");
        }
    }

    struct Nothing(fn());

    impl Subject for Nothing {
        fn command(&self) -> Command {
            (self.0)();
            Command::new("true")
        }
    }

    #[test]
    fn a_difference_is_what_was_expected_and_what_came() {
        let one =
            Requirement { name: "", section: "Routes", run: |subject| drop(subject.command()) };
        assert_eq!(one.check(&Nothing(|| {})), Ok(()));
        let differs = one.check(&Nothing(|| client::differs(200, 404))).unwrap_err();
        assert_eq!((differs.expected.as_deref(), &*differs.came), (Some("200"), "404"));
        let differs = one.check(&Nothing(|| panic!("it is odd"))).unwrap_err();
        assert_eq!((differs.expected, &*differs.came), (None, "it is odd"));
    }

    #[test]
    fn what_does_not_listen_does_not_start() {
        let differs = starts(&Nothing(|| {})).unwrap_err();
        assert!(differs.contains("listening 127.0.0.1:PORT") && differs.contains("exit status: 0"));
    }
}
