//! Analysing wallets.

use crate::world::templates::JobTemplate;

const WALLETS: &[&str] = &[
    "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU",
    "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
    "DRpbCBMxVnDK7maPM5tGv6MvB3v1sRMC86PZ8okm21hy",
    "4Nd1mYvKJ8s2fYDbuzGpFh1bJm9xTgNq6tJUhS8wQ7Lc",
    "HVh6wHNBAsG3pq1Bj5oCzRjoWKVogEDHwUHkRz3ekFgt",
];

const RPC: (&str, &str) = (
    "Helius RPC timed out after 30000 ms while fetching signatures",
    "Error: Helius RPC timed out after 30000 ms while fetching signatures\n    at HeliusClient.request (/app/dist/core/services/helius-api-client.js:211:15)",
);

pub(crate) const JOBS: &[JobTemplate] = &[
    JobTemplate {
        name: "similarity-analysis-flow",
        queue: "similarity-operations",
        prefix: "similarity-",
        digits: 12,
        seconds: (20, 140),
        attempts: 1,
        stages: &["syncing wallets", "building vectors", "comparing pairs", "ranking"],
        lines: &[],
        errors: &[(
            "Insufficient valid wallets for similarity analysis: 1 of 3 have enough transactions",
            "Error: Insufficient valid wallets for similarity analysis\n    at SimilarityOperationsProcessor.run (/app/dist/queues/processors/similarity-operations.processor.js:173:13)",
        )],
        subjects: WALLETS,
    },
    JobTemplate {
        name: "sync-wallet",
        queue: "wallet-operations",
        prefix: "sync-",
        digits: 8,
        seconds: (8, 60),
        attempts: 3,
        stages: &["fetching signatures", "parsing transactions", "storing"],
        lines: &[],
        errors: &[RPC],
        subjects: WALLETS,
    },
    JobTemplate {
        name: "analyze-pnl",
        queue: "analysis-operations",
        prefix: "pnl-",
        digits: 8,
        seconds: (6, 45),
        attempts: 3,
        stages: &["loading swaps", "matching lots", "summing up"],
        lines: &[],
        errors: &[(
            "No swap records for the wallet in the requested period",
            "Error: No swap records for the wallet in the requested period\n    at PnlAnalysisService.analyze (/app/dist/core/services/pnl.js:64:11)",
        )],
        subjects: WALLETS,
    },
    JobTemplate {
        name: "enrich-token-balances",
        queue: "enrichment-operations",
        prefix: "enrich-",
        digits: 8,
        seconds: (10, 70),
        attempts: 2,
        stages: &["collecting mints", "fetching metadata", "fetching prices"],
        lines: &[],
        errors: &[RPC],
        subjects: WALLETS,
    },
    JobTemplate {
        name: "dashboard-wallet-analysis",
        queue: "analysis-operations",
        prefix: "dashboard-",
        digits: 8,
        seconds: (15, 90),
        attempts: 2,
        stages: &["syncing", "profit and loss", "behaviour", "enriching"],
        lines: &[],
        errors: &[RPC],
        subjects: WALLETS,
    },
];
