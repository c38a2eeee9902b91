//! Who is asked what.

use crate::server::Mount;
use crate::{
    client, concurrency, connections, contender, dependency, ending, gateway, malformed, null,
    protocol, routes, same, vectors, webhooks,
};

/// What is asked of a server.
pub(crate) type Check = fn(Mount);

/// Checks by their names, from their topics.
macro_rules! checks {
    ($($topic:ident { $($check:ident,)+ })+) => {
        &[$($((stringify!($check), $topic::$check as Check)),+),+]
    };
}

/// Checks with names.
type Checks = &'static [(&'static str, Check)];

/// What is the same whatever keeps the rows.
const OF_A_STORE: Checks = checks! {
    vectors {
        the_published_exchanges_hold,
    }
    routes {
        a_payment_is_captured_once_and_replayed,
        a_key_with_another_payment_is_a_conflict,
        a_payment_is_declined_for_each_reason,
        a_balance_is_spent_to_the_last_unit,
        payments_of_the_unknown_are_not_found,
        a_distribution_credits_each_account_once,
        an_account_shows_its_points,
        a_distribution_id_with_other_fields_is_a_conflict,
    }
    malformed {
        fields_out_of_range_are_unprocessable,
    }
    concurrency {
        one_key_from_sixteen_connections_is_captured_once,
        one_balance_is_not_spent_twice,
        one_distribution_from_eight_connections_is_credited_once,
        rivals_for_one_key_or_id_have_one_winner,
    }
    ending {
        a_server_under_load_ends_without_a_broken_answer,
        idle_connections_do_not_delay_the_end,
    }
    webhooks {
        an_event_is_kept_once,
        malformed_events_are_refused,
    }
};

/// What every server must do besides. What the suite asks of a model beyond this is in CONTRACT.md's list of exceptions.
const OF_A_SERVER: Checks = checks! {
    routes {
        health_names_the_contender_and_null_does_nothing,
        unknown_routes_and_wrong_methods_are_told_apart,
    }
    malformed {
        broken_bodies_are_bad_requests,
        bodies_that_are_not_utf_8_are_bad_requests,
        missing_and_ill_typed_fields_are_bad_requests,
        unknown_fields_and_blanks_are_ignored,
        bodies_up_to_the_limit_are_read,
        too_many_and_too_large_headers_are_refused,
        what_is_no_http_is_refused_and_closed,
    }
    protocol {
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
    connections {
        half_sent_requests_hold_nobody_up,
        many_connections_stay_open_side_by_side,
        clients_that_vanish_take_nothing_with_them,
    }
    ending {
        a_half_sent_request_delays_the_end_by_its_seconds_at_most,
        a_port_in_use_is_a_clear_error,
        settings_may_come_from_the_environment,
        a_reader_of_stdout_may_go_away,
    }
    gateway {
        two_upstream_answers_are_joined,
        without_an_upstream_there_is_no_gateway,
    }
};

/// Express reads a body to its end before it refuses its length.
const EARLY_REFUSAL: Checks = checks! {
    malformed {
        a_length_above_the_limit_is_refused_before_the_body,
        a_chunked_body_is_refused_when_it_outgrows_the_limit,
    }
};

/// Node.js ends its half of a connection as soon as the client has, and computes before it reads what else has come.
const UNLIKE_NODE: Checks = checks! {
    protocol {
        a_half_closed_client_is_still_answered,
    }
    connections {
        a_thousand_connections_leave_nothing_behind,
    }
    ending {
        requests_in_hand_are_answered_before_the_end,
    }
};

/// What only the models are asked.
const OF_MODELS: Checks = checks! {
    routes {
        a_workload_mounts_its_own_routes_alone,
    }
    malformed {
        a_refusal_is_not_lost_to_a_reset,
        a_request_names_its_host_once,
        the_preface_of_http_2_is_answered,
    }
    connections {
        a_reader_that_does_not_read_holds_nobody_up,
        a_reader_that_does_not_read_is_cut_off,
        a_silent_connection_has_what_one_that_spoke_has,
        idle_connections_are_closed,
        busy_connections_are_not_idle,
        headers_that_never_end_are_cut_off,
        bodies_that_never_end_are_cut_off,
    }
    same {
        cpu_work_gives_the_same_wherever_it_runs,
    }
};

/// What only the contenders are asked.
const OF_CONTENDERS: Checks = checks! {
    contender {
        settings_that_cannot_be_are_named,
        a_database_that_is_not_there_is_a_clear_error,
    }
};

const OF_NODE: Checks = checks! {
    contender {
        workers_that_share_nothing_are_refused,
    }
};

/// What is asked of a pool, whoever's pool it is.
const OF_A_POOL: Checks = checks! {
    dependency {
        a_pool_of_three_is_never_a_deadlock,
        a_pool_says_how_it_was_used,
        a_payment_is_captured_once_over_dropped_connections,
    }
};

/// What is asked of it beside a real database.
const OF_A_POOL_ON_POSTGRES: Checks = checks! {
    dependency {
        a_payment_is_captured_once_over_killed_backends,
    }
};

/// Several processes on one port and one database.
const OF_A_CLUSTER: Checks = checks! {
    vectors {
        the_published_exchanges_hold,
    }
    concurrency {
        one_key_from_sixteen_connections_is_captured_once,
    }
    ending {
        a_server_under_load_ends_without_a_broken_answer,
    }
};

/// Checks, and on whom.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) mounts: &'static [(&'static str, Mount)],
    pub(crate) checks: &'static [Checks],
    /// Whether the checks take the one database, whatever the mounts do.
    pub(crate) on_postgres: bool,
}

const fn suite(
    name: &'static str,
    mounts: &'static [(&'static str, Mount)],
    checks: &'static [Checks],
) -> Suite {
    Suite { name, mounts, checks, on_postgres: false }
}

impl Suite {
    const fn on_postgres(self) -> Self {
        Self { on_postgres: true, ..self }
    }
}

const GO: (&str, Mount) = ("go", Mount::GO);
const NODE: (&str, Mount) = ("node", Mount::NODE);
const EXPRESS: (&str, Mount) = ("express", Mount::EXPRESS);
const FASTIFY: (&str, Mount) = ("fastify", Mount::FASTIFY);
const TOKIO_POSTGRES: &str = "tokio_postgres";

const MODELS: [(&str, Mount); 4] = [
    ("event_loop", Mount::EVENT_LOOP),
    ("work_stealing", Mount::WORK_STEALING),
    ("thread_per_connection", Mount::THREAD_PER_CONNECTION),
    ("thread_pool", Mount::THREAD_POOL),
];

const BORROWED: &[(&str, Mount)] = &[(TOKIO_POSTGRES, Mount::TOKIO_POSTGRES_PROGRAM)];

pub(crate) const SUITES: &[Suite] = &[
    suite(
        "models",
        &MODELS,
        &[OF_A_STORE, OF_A_SERVER, EARLY_REFUSAL, UNLIKE_NODE, OF_MODELS, OF_A_POOL],
    ),
    suite("contenders", &[GO, NODE, EXPRESS, FASTIFY], &[OF_A_STORE, OF_A_SERVER, OF_CONTENDERS]),
    suite("early_refusal", &[GO, NODE, FASTIFY], &[EARLY_REFUSAL]),
    suite("more_of_go", &[GO], &[UNLIKE_NODE]),
    suite("more_of_node", &[NODE, EXPRESS, FASTIFY], &[OF_NODE]),
    suite(
        "on_standin",
        &[
            ("event_loop", Mount::EVENT_LOOP_PROGRAM.on_standin()),
            ("work_stealing", Mount::WORK_STEALING_PROGRAM.on_standin()),
            ("thread_per_connection", Mount::THREAD_PER_CONNECTION_PROGRAM.on_standin()),
            ("thread_pool", Mount::THREAD_POOL_PROGRAM.on_standin()),
            (TOKIO_POSTGRES, Mount::TOKIO_POSTGRES_PROGRAM.on_standin()),
        ],
        &[OF_A_STORE],
    ),
    suite(
        "on_postgres",
        &[
            ("event_loop", Mount::EVENT_LOOP_PROGRAM.on_postgres(1)),
            ("work_stealing", Mount::WORK_STEALING_PROGRAM.on_postgres(2)),
            ("thread_per_connection", Mount::THREAD_PER_CONNECTION_PROGRAM.on_postgres(1)),
            ("thread_pool", Mount::THREAD_POOL_PROGRAM.on_postgres(1)),
            ("go", Mount::GO.on_postgres(2)),
            ("node", Mount::NODE.on_postgres(1)),
        ],
        &[OF_A_STORE],
    ),
    suite("borrowed", BORROWED, &[OF_A_POOL]),
    suite("models", &MODELS, &[OF_A_POOL_ON_POSTGRES]).on_postgres(),
    suite("borrowed", BORROWED, &[OF_A_POOL_ON_POSTGRES]).on_postgres(),
    suite(
        "in_a_cluster",
        &[
            ("node", Mount::NODE.on_postgres(2)),
            ("express", Mount::EXPRESS.on_postgres(2)),
            ("fastify", Mount::FASTIFY.on_postgres(2)),
            (TOKIO_POSTGRES, Mount::TOKIO_POSTGRES_TWICE_PROGRAM.on_standin()),
        ],
        &[OF_A_CLUSTER],
    ),
];

/// What has a mount of its own.
pub(crate) const ALONE: &[(&str, fn())] = &[
    ("the_reader_forgives_nothing", client::the_reader_forgives_nothing),
    (
        "connections_beyond_the_threads_are_refused_until_one_is_free",
        connections::connections_beyond_the_threads_are_refused_until_one_is_free,
    ),
    ("settings_that_cannot_be_are_usage_errors", ending::settings_that_cannot_be_are_usage_errors),
    ("it_answers_anything_with_a_constant", null::it_answers_anything_with_a_constant),
    (
        "it_keeps_count_of_requests_however_they_arrive",
        null::it_keeps_count_of_requests_however_they_arrive,
    ),
    (
        "every_model_gives_the_same_answers_and_the_same_books",
        same::every_model_gives_the_same_answers_and_the_same_books,
    ),
];
