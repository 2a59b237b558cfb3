//! Automation tasks on a blockchain.

use crate::world::templates::JobTemplate;

/// The recurring jobs whose tasks are executed: title and id (decimal, up to 256 bits).
pub(crate) const GROUPS: &[(&str, &str)] = &[
    (
        "Harvest staking rewards",
        "300949528249665590178224313442040528409305273634097553067152835846309150732",
    ),
    (
        "Rebalance the ETH/USDC vault",
        "114682093847561029384756102938475610293847561029384756102938475610293847561",
    ),
    (
        "Push the LINK/USD price",
        "90071992547409919007199254740991900719925474099190071992547409919007199254740",
    ),
];

pub(crate) const JOBS: &[JobTemplate] = &[JobTemplate {
    name: "task",
    queue: "",
    prefix: "",
    digits: 0,
    seconds: (9, 55),
    attempts: 1,
    stages: &["created", "executed", "attested"],
    lines: &[],
    errors: &[
        ("execution reverted: UniswapV2Router: INSUFFICIENT_OUTPUT_AMOUNT", ""),
        ("insufficient funds for gas * price + value", ""),
        ("replacement transaction underpriced", ""),
        ("condition not met at block 7 204 118: price 14.31 below threshold 14.50", ""),
    ],
    subjects: &["harvest()", "rebalance(uint256)", "updatePrice(int256)"],
}];
