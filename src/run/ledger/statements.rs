//! The statements of the ledger, in our words, and the scenarios that speak to each.

/// A statement that a machine can test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LedgerStatement {
    /// Counted from 1.
    pub(crate) number: u32,
    /// Whose statement it is: the rows of a community stand together.
    pub(crate) community: &'static str,
    /// In our words.
    pub(crate) text: &'static str,
    /// Names of scenarios: their claims with `decides = true` decide, the others stand beside it.
    pub(crate) scenarios: &'static [&'static str],
}

const GO_AND_NODE: &str = "Go and Node.js";
const JAVA: &str = "Java";
const IO_URING: &str = "io_uring and thread per core";
const FRAMEWORKS: &str = "Rust frameworks";

/// Statements about servers in Go, on Node.js, in Java and in Rust, and about what waits and what computes.
pub(crate) const STATEMENTS: [LedgerStatement; 19] = [
    LedgerStatement {
        number: 1,
        community: GO_AND_NODE,
        text: "Synthetic tests show Go serving more raw requests per second than Node.js",
        scenarios: &["go-vs-node-raw"],
    },
    LedgerStatement {
        number: 2,
        community: GO_AND_NODE,
        text: "That difference means nothing when each request waits for a 50 ms query",
        scenarios: &[
            "go-vs-node-payment-50ms",
            "payment-50ms-query",
            "payment-lognormal",
            "payment-50ms-query-small-pool",
        ],
    },
    LedgerStatement {
        number: 3,
        community: GO_AND_NODE,
        text: "A thousand, and thousands, of concurrent workers are cheap",
        scenarios: &[
            "go-vs-node-loyalty",
            "loyalty-fanout-1000",
            "loyalty-fanout-1000-pool-64",
            "loyalty-fanout-1000-pool-1000",
        ],
    },
    LedgerStatement {
        number: 4,
        community: GO_AND_NODE,
        text: "Points can be spread over a million accounts and 700 businesses in parallel",
        scenarios: &["loyalty-million", "loyalty-million-postgres"],
    },
    LedgerStatement {
        number: 5,
        community: GO_AND_NODE,
        text: "Go's collector does not stop the world for long: its p99 is consistent",
        scenarios: &["go-vs-node-p99"],
    },
    LedgerStatement {
        number: 6,
        community: GO_AND_NODE,
        text: "Go's memory is low and predictable, that of Node.js higher and with spikes",
        scenarios: &["go-vs-node-memory"],
    },
    LedgerStatement {
        number: 7,
        community: GO_AND_NODE,
        text: "An event loop is extremely efficient for services that mostly wait",
        scenarios: &["webhook-receiver", "gateway"],
    },
    LedgerStatement {
        number: 8,
        community: GO_AND_NODE,
        text: "Both are excellent at I/O-bound concurrency",
        scenarios: &["go-vs-node-io-concurrency", "io-concurrency", "connections-10k"],
    },
    LedgerStatement {
        number: 9,
        community: GO_AND_NODE,
        text: "Three lookups awaited together cost one wait",
        scenarios: &["payment-parallel-lookups"],
    },
    LedgerStatement {
        number: 10,
        community: GO_AND_NODE,
        text: "In heavy computation and cryptography a single thread loses",
        scenarios: &["go-vs-node-cpu", "go-vs-node-cpu-mixed"],
    },
    LedgerStatement {
        number: 11,
        community: GO_AND_NODE,
        text: "For a p99 below a millisecond, choose Go",
        scenarios: &["go-vs-node-sub-millisecond"],
    },
    LedgerStatement {
        number: 12,
        community: GO_AND_NODE,
        text: "A well-written service in one model always beats a poorly written one in the other",
        scenarios: &["craft-beats-model", "craft-beats-model-memory", "craft-beats-model-loyalty"],
    },
    LedgerStatement {
        number: 13,
        community: GO_AND_NODE,
        text: "Go ships as one small static binary, Node.js with node_modules: images tiny against large",
        scenarios: &["footprint"],
    },
    LedgerStatement {
        number: 14,
        community: GO_AND_NODE,
        text: "An API gateway or a webhook receiver is fine with either",
        scenarios: &["go-vs-node-gateway", "go-vs-node-webhook"],
    },
    LedgerStatement {
        number: 15,
        community: GO_AND_NODE,
        text: "The bottleneck decides, not the language",
        scenarios: &[],
    },
    LedgerStatement {
        number: 16,
        community: JAVA,
        text: "Virtual threads carry thousands of waiting requests that platform threads are too heavy for",
        scenarios: &["java-virtual-vs-platform", "java-virtual-vs-platform-5k"],
    },
    LedgerStatement {
        number: 17,
        community: JAVA,
        text: "Virtual threads cost nothing where nothing waits, or where a pool of connections is the limit",
        scenarios: &["java-virtual-vs-platform-memory", "java-virtual-vs-platform-small-pool"],
    },
    LedgerStatement {
        number: 18,
        community: IO_URING,
        text: "io_uring with a thread per core serves more than epoll does",
        scenarios: &[
            "uring-vs-epoll",
            "uring-vs-epoll-in-flight-1",
            "uring-vs-epoll-in-flight-10",
            "uring-vs-epoll-in-flight-100",
            "uring-vs-epoll-in-flight-1000",
            "uring-vs-epoll-in-flight-10000",
            "uring-vs-epoll-payment",
            "uring-vs-epoll-10k",
        ],
    },
    LedgerStatement {
        number: 19,
        community: FRAMEWORKS,
        text: "A framework like axum costs next to nothing over its HTTP library",
        scenarios: &["frameworks", "frameworks-1ms", "frameworks-50ms"],
    },
];

/// Statements that no measurement settles: listed and not scored.
pub(crate) const UNSETTLED: [&str; 7] = [
    "what a team knows already",
    "how easily people are hired",
    "the size of the ecosystem",
    "how soon a first version runs",
    "how safely code is changed",
    "what types catch before a program runs",
    "how little ceremony JSON takes",
];

impl LedgerStatement {
    /// Whether a scenario speaks to it, by its whole name: what a name begins with is chance.
    pub(crate) fn is_tested_by(&self, scenario: &str) -> bool {
        self.scenarios.contains(&scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{BUILTIN, builtin};

    /// Built-in scenarios that claim something which no statement says.
    const OTHERS: [&str; 16] = [
        "checkout-session",
        "payment-memory",
        "loyalty-memory",
        "mixed-distribution",
        "payment-fast-query",
        "client-cross-check",
        "capacity-payment",
        "event-loop-processes",
        "dependency-stall",
        "p99-over-time",
        "memory-over-time",
        "cpu-signature",
        "sub-millisecond-p99",
        "go-vs-node-payment",
        "go-vs-node-payment-1ms",
        "canary",
    ];

    #[test]
    fn statements_are_counted_and_name_whole_scenarios() {
        assert!(STATEMENTS.iter().zip(1..).all(|(statement, number)| statement.number == number));
        let communities = STATEMENTS.chunk_by(|a, b| a.community == b.community).count();
        assert_eq!(communities, 4, "the rows of a community stand together");
        let memory = &STATEMENTS[5];
        assert!(memory.is_tested_by("go-vs-node-memory"));
        for other in ["memory-over-time-postgres", "go-vs-node-memoryless", "payment-memory"] {
            assert!(!memory.is_tested_by(other), "{other}");
        }
    }

    #[test]
    fn every_name_is_a_built_in_scenario_that_claims_something() {
        let statements = STATEMENTS.iter().flat_map(|statement| statement.scenarios);
        for name in statements.chain(&OTHERS) {
            let scenario = builtin(name).unwrap_or_else(|| panic!("there is no `{name}`"));
            let claims = scenario.claims.len() + scenario.expectations.len();
            assert!(claims > 0, "`{name}` claims nothing, so it decides nothing");
        }
    }

    #[test]
    fn every_built_in_scenario_that_claims_something_has_its_place() {
        for (name, _) in BUILTIN {
            let scenario = builtin(name).unwrap();
            let claims = scenario.claims.len() + scenario.expectations.len() > 0;
            let stated = STATEMENTS.iter().any(|statement| statement.is_tested_by(name));
            let other = OTHERS.contains(name);
            assert!(!(stated && other), "`{name}` is of a statement and of none");
            assert_eq!(stated || other, claims, "`{name}`: give it a statement, or to OTHERS");
        }
    }
}
