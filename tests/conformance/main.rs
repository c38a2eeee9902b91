//! One suite, mounted on every model and every contender: whatever waits and however, the answers are the same.
//!
//! The tests know `bakeoff serve` from outside only: its flags, its port, its signals and what /proc says of it. They
//! take the rows of the dataset from `bakeoff::domain`, which `contracts/` checks on its own. A test that is in no list
//! below is dead code, which the linter refuses.

mod bodies;
mod client;
mod concurrency;
mod connections;
mod contender;
mod database;
mod dependency;
mod ending;
mod gateway;
mod malformed;
mod null;
mod protocol;
mod routes;
mod same;
mod server;
mod standin;
mod vectors;
mod webhooks;

/// Stamps every test once for each model.
macro_rules! on_every_model {
    ($($topic:ident { $($test:ident,)+ })+) => {
        on_a_model! { event_loop EVENT_LOOP $($topic { $($test)+ })+ }
        on_a_model! { work_stealing WORK_STEALING $($topic { $($test)+ })+ }
        on_a_model! { thread_per_connection THREAD_PER_CONNECTION $($topic { $($test)+ })+ }
        on_a_model! { thread_pool THREAD_POOL $($topic { $($test)+ })+ }
    };
}

macro_rules! on_a_model {
    ($model:ident $mount:ident $($topic:ident { $($test:ident)+ })+) => {
        mod $model {
            use crate::server::Mount;
            $($(
                #[test]
                fn $test() {
                    crate::$topic::$test(Mount::$mount);
                }
            )+)+
        }
    };
}

on_every_model! {
    routes {
        health_names_the_contender_and_null_does_nothing,
        a_payment_is_captured_once_and_replayed,
        a_key_with_another_payment_is_a_conflict,
        a_payment_is_declined_for_each_reason,
        a_balance_is_spent_to_the_last_unit,
        payments_of_the_unknown_are_not_found,
        a_distribution_credits_each_account_once,
        an_account_shows_its_points,
        a_distribution_id_with_other_fields_is_a_conflict,
        unknown_routes_and_wrong_methods_are_told_apart,
        a_workload_mounts_its_own_routes_alone,
    }
    vectors {
        the_published_exchanges_hold,
    }
    malformed {
        broken_bodies_are_bad_requests,
        missing_and_ill_typed_fields_are_bad_requests,
        fields_out_of_range_are_unprocessable,
        unknown_fields_and_blanks_are_ignored,
        bodies_up_to_the_limit_are_read,
        a_length_above_the_limit_is_refused_before_the_body,
        a_chunked_body_is_refused_when_it_outgrows_the_limit,
        too_many_and_too_large_headers_are_refused,
        what_is_no_http_is_refused_and_closed,
    }
    protocol {
        five_hundred_pipelined_requests_are_answered_in_order,
        a_request_may_come_byte_by_byte,
        a_request_may_be_split_anywhere,
        a_half_closed_client_is_still_answered,
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
        a_reader_that_does_not_read_holds_nobody_up,
        idle_connections_are_closed,
        busy_connections_are_not_idle,
        headers_that_never_end_are_cut_off,
        bodies_that_never_end_are_cut_off,
        clients_that_vanish_take_nothing_with_them,
        a_thousand_connections_leave_nothing_behind,
    }
    concurrency {
        one_key_from_sixteen_connections_is_captured_once,
        one_balance_is_not_spent_twice,
        one_distribution_from_eight_connections_is_credited_once,
        rivals_for_one_key_or_id_have_one_winner,
    }
    ending {
        requests_in_hand_are_answered_before_the_end,
        a_server_under_load_ends_without_a_broken_answer,
        idle_connections_do_not_delay_the_end,
        a_half_sent_request_delays_the_end_by_its_seconds_at_most,
        a_port_in_use_is_a_clear_error,
        settings_may_come_from_the_environment,
        a_reader_of_stdout_may_go_away,
    }
    webhooks {
        an_event_is_kept_once,
        malformed_events_are_refused,
    }
    gateway {
        two_upstream_answers_are_joined,
        without_an_upstream_there_is_no_gateway,
    }
    dependency {
        a_pool_of_three_is_never_a_deadlock,
        a_pool_says_how_it_was_used,
        a_payment_is_captured_once_over_dropped_connections,
        a_payment_is_captured_once_over_killed_backends,
    }
    same {
        cpu_work_gives_the_same_wherever_it_runs,
    }
}

/// Stamps every test once for each contender.
macro_rules! on_contenders {
    ({ $($contender:ident $mount:expr,)+ } $topics:tt) => {
        $(on_a_contender! { $contender ($mount) $topics })+
    };
}

macro_rules! on_a_contender {
    ($contender:ident ($mount:expr) { $($topic:ident { $($test:ident,)+ })+ }) => {
        mod $contender {
            use crate::server::Mount;
            $($(
                #[test]
                fn $test() {
                    crate::contender::check($mount, crate::$topic::$test);
                }
            )+)+
        }
    };
}

/// What every contender must do. What the suite asks of a model beyond this is in CONTRACT.md's list of exceptions.
mod contenders {
    on_contenders! {
        { go Mount::GO, node Mount::NODE, express Mount::EXPRESS, fastify Mount::FASTIFY, }
        {
            routes {
                health_names_the_contender_and_null_does_nothing,
                a_payment_is_captured_once_and_replayed,
                a_key_with_another_payment_is_a_conflict,
                a_payment_is_declined_for_each_reason,
                a_balance_is_spent_to_the_last_unit,
                payments_of_the_unknown_are_not_found,
                a_distribution_credits_each_account_once,
                an_account_shows_its_points,
                a_distribution_id_with_other_fields_is_a_conflict,
                unknown_routes_and_wrong_methods_are_told_apart,
            }
            vectors {
                the_published_exchanges_hold,
            }
            malformed {
                broken_bodies_are_bad_requests,
                missing_and_ill_typed_fields_are_bad_requests,
                fields_out_of_range_are_unprocessable,
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
            concurrency {
                one_key_from_sixteen_connections_is_captured_once,
                one_balance_is_not_spent_twice,
                one_distribution_from_eight_connections_is_credited_once,
                rivals_for_one_key_or_id_have_one_winner,
            }
            ending {
                a_server_under_load_ends_without_a_broken_answer,
                idle_connections_do_not_delay_the_end,
                a_half_sent_request_delays_the_end_by_its_seconds_at_most,
                a_port_in_use_is_a_clear_error,
                settings_may_come_from_the_environment,
                a_reader_of_stdout_may_go_away,
            }
            webhooks {
                an_event_is_kept_once,
                malformed_events_are_refused,
            }
            gateway {
                two_upstream_answers_are_joined,
                without_an_upstream_there_is_no_gateway,
            }
            contender {
                settings_that_cannot_be_are_named,
                a_database_that_is_not_there_is_a_clear_error,
            }
        }
    }
}

/// Express reads a body to its end before it refuses its length.
mod early_refusal {
    on_contenders! {
        { go Mount::GO, node Mount::NODE, fastify Mount::FASTIFY, }
        {
            malformed {
                a_length_above_the_limit_is_refused_before_the_body,
                a_chunked_body_is_refused_when_it_outgrows_the_limit,
            }
        }
    }
}

/// Node.js ends its half of a connection as soon as the client has, and computes before it reads what else has come.
mod more_of_go {
    on_contenders! {
        { go Mount::GO, }
        {
            protocol {
                a_half_closed_client_is_still_answered,
            }
            connections {
                a_thousand_connections_leave_nothing_behind,
            }
            ending {
                requests_in_hand_are_answered_before_the_end,
            }
        }
    }
}

mod more_of_node {
    on_contenders! {
        { node Mount::NODE, express Mount::EXPRESS, fastify Mount::FASTIFY, }
        {
            contender {
                workers_that_share_nothing_are_refused,
            }
        }
    }
}

/// What is the same whatever keeps the rows: these checks, on these mounts.
macro_rules! on_a_store {
    ($mounts:tt) => {
        on_contenders! {
            $mounts
            {
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
            }
        }
    };
}

/// The same answers when the store is a stand-in.
mod on_standin {
    on_a_store! {{
        event_loop Mount::EVENT_LOOP_PROGRAM.on_standin(),
        work_stealing Mount::WORK_STEALING_PROGRAM.on_standin(),
        thread_per_connection Mount::THREAD_PER_CONNECTION_PROGRAM.on_standin(),
        thread_pool Mount::THREAD_POOL_PROGRAM.on_standin(),
        tokio_postgres Mount::TOKIO_POSTGRES_PROGRAM.on_standin(),
    }}
}

/// The same answers when the store is a real PostgreSQL.
mod on_postgres {
    on_a_store! {{
        event_loop Mount::EVENT_LOOP_PROGRAM.on_postgres(1),
        work_stealing Mount::WORK_STEALING_PROGRAM.on_postgres(2),
        thread_per_connection Mount::THREAD_PER_CONNECTION_PROGRAM.on_postgres(1),
        thread_pool Mount::THREAD_POOL_PROGRAM.on_postgres(1),
        go Mount::GO.on_postgres(2),
        node Mount::NODE.on_postgres(1),
    }}
}

/// What is asked of a pool, whoever's pool it is.
mod borrowed {
    on_contenders! {
        { tokio_postgres Mount::TOKIO_POSTGRES_PROGRAM, }
        {
            dependency {
                a_pool_of_three_is_never_a_deadlock,
                a_pool_says_how_it_was_used,
                a_payment_is_captured_once_over_dropped_connections,
                a_payment_is_captured_once_over_killed_backends,
            }
        }
    }
}

/// Several processes on one port and one database.
mod in_a_cluster {
    on_contenders! {
        {
            node Mount::NODE.on_postgres(2),
            express Mount::EXPRESS.on_postgres(2),
            fastify Mount::FASTIFY.on_postgres(2),
            tokio_postgres Mount::TOKIO_POSTGRES_TWICE_PROGRAM.on_standin(),
        }
        {
            vectors {
                the_published_exchanges_hold,
            }
            concurrency {
                one_key_from_sixteen_connections_is_captured_once,
            }
            ending {
                a_server_under_load_ends_without_a_broken_answer,
            }
        }
    }
}
