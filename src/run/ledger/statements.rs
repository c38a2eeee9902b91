//! The statements of the ledger, in our words, and the scenarios that speak to each.

/// A statement that a machine can test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement {
    /// Counted from 1.
    pub(crate) number: u32,
    /// In our words.
    pub(crate) text: &'static str,
    /// Names of scenarios, or what their names begin with. The first claim of each decides.
    pub(crate) scenarios: &'static [&'static str],
}

/// Statements about servers in Go and on Node.js, and about what waits and what computes.
pub(crate) const STATEMENTS: [Statement; 15] = [
    Statement {
        number: 1,
        text: "Synthetic tests show Go serving more raw requests per second than Node.js",
        scenarios: &["go-vs-node-raw"],
    },
    Statement {
        number: 2,
        text: "That difference means nothing when each request waits for a 50 ms query",
        scenarios: &["go-vs-node-payment-50ms", "payment-50ms-query", "payment-lognormal"],
    },
    Statement {
        number: 3,
        text: "A thousand, and thousands, of concurrent workers are cheap",
        scenarios: &["go-vs-node-loyalty", "loyalty-fanout-1000"],
    },
    Statement {
        number: 4,
        text: "Points can be spread over a million accounts and 700 businesses in parallel",
        scenarios: &["loyalty-million"],
    },
    Statement {
        number: 5,
        text: "Go's collector does not stop the world for long: its p99 is consistent",
        scenarios: &["go-vs-node-p99", "p99-over-time"],
    },
    Statement {
        number: 6,
        text: "Go's memory is low and predictable, that of Node.js higher and with spikes",
        scenarios: &["go-vs-node-memory", "memory-over-time"],
    },
    Statement {
        number: 7,
        text: "An event loop is extremely efficient for services that mostly wait",
        scenarios: &["webhook-receiver", "gateway", "io-concurrency"],
    },
    Statement {
        number: 8,
        text: "Both are excellent at I/O-bound concurrency",
        scenarios: &["io-concurrency", "connections-10k"],
    },
    Statement {
        number: 9,
        text: "Three lookups awaited together cost one wait",
        scenarios: &["payment-parallel-lookups"],
    },
    Statement {
        number: 10,
        text: "In heavy computation and cryptography a single thread loses",
        scenarios: &["go-vs-node-cpu", "cpu-signature"],
    },
    Statement {
        number: 11,
        text: "For a p99 below a millisecond, choose Go",
        scenarios: &["go-vs-node-sub-millisecond", "sub-millisecond-p99"],
    },
    Statement {
        number: 12,
        text: "A well-written service in one always beats a poorly written one in the other",
        scenarios: &["craft-beats-model"],
    },
    Statement {
        number: 13,
        text: "Go ships as one small static binary, Node.js with node_modules: images tiny against large",
        scenarios: &["footprint"],
    },
    Statement {
        number: 14,
        text: "An API gateway or a webhook receiver is fine with either",
        scenarios: &["go-vs-node-gateway", "go-vs-node-webhook"],
    },
    Statement {
        number: 15,
        text: "The bottleneck decides, not the language",
        scenarios: &["bottleneck"],
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

impl Statement {
    /// Whether a scenario speaks to it: it has one of the names, or one of them and more behind a dash.
    pub(crate) fn is_tested_by(&self, scenario: &str) -> bool {
        self.scenarios.iter().any(|name| {
            scenario.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_counted_and_named_by_whole_words() {
        assert!(STATEMENTS.iter().zip(1..).all(|(statement, number)| statement.number == number));
        let memory = &STATEMENTS[5];
        assert!(memory.is_tested_by("go-vs-node-memory"));
        assert!(memory.is_tested_by("memory-over-time-postgres"));
        assert!(!memory.is_tested_by("go-vs-node-memoryless"));
        assert!(!memory.is_tested_by("payment-memory"));
    }
}
