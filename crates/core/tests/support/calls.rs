//! Calls by their names, with their arguments as texts, as fixtures name them.

use jobwatch_core::dialect::pages::Way;
use jobwatch_core::dialect::{Ask, analyzer, bull_board, kecs, study_buddy, triggerx};
use jobwatch_core::model::Topic;
use jobwatch_core::server::DialectKind;

/// A call of a dialect.
pub fn ask(kind: DialectKind, topic: Option<&Topic>, call: &str, args: &[&str]) -> Ask {
    match kind {
        DialectKind::TriggerX => Ask::new(topic, triggerx_call(call, args)),
        DialectKind::StudyBuddy => Ask::new(topic, study_buddy_call(call, args)),
        DialectKind::Analyzer => Ask::new(topic, analyzer_call(call, args)),
        DialectKind::Kecs => Ask::new(topic, kecs_call(call, args)),
        DialectKind::BullBoard => Ask::new(topic, bull_board_call(call, args)),
        DialectKind::PlainJson => panic!("it has no calls"),
    }
}

fn text(args: &[&str], at: usize) -> String {
    args.get(at).copied().unwrap_or_default().to_owned()
}

fn number<N: std::str::FromStr>(args: &[&str], at: usize, otherwise: N) -> N {
    args.get(at).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn way(word: &str) -> Way {
    match word {
        "look" => Way::Look,
        "back" => Way::Back,
        "lost" => Way::Lost,
        "next" => Way::Next,
        _ => Way::All,
    }
}

fn triggerx_call(call: &str, args: &[&str]) -> triggerx::Call {
    use triggerx::Call;
    let id = text(args, 0);
    match call {
        "task" => Call::Task(id),
        "tasks" => Call::Tasks(id),
        "job" => Call::Job(id),
        "jobs" => Call::Jobs,
        "jobs-by-key" => Call::JobsByKey(args.first().map(|only| (*only).to_owned())),
        "jobs-of-number" => Call::JobsOfNumber(id),
        "groups" => Call::Groups,
        "recent" => Call::Recent,
        "fees" => Call::Fees(id),
        "stats" => Call::Stats,
        "number" => Call::Number(id),
        "cancel" => Call::Cancel(id),
        other => panic!("{other}"),
    }
}

fn study_buddy_call(call: &str, args: &[&str]) -> study_buddy::Call {
    use study_buddy::Call;
    match call {
        "list" => Call::List(number(args, 0, 50)),
        "named" => Call::Named(number(args, 0, 50)),
        "job" => Call::Job { id: text(args, 0), named: None },
        other => panic!("{other}"),
    }
}

fn analyzer_call(call: &str, args: &[&str]) -> analyzer::Call {
    use analyzer::{Call, Stretch};
    match call {
        "queues" => Call::Queues,
        "job" => Call::Job(text(args, 0)),
        "outcome" => Call::Outcome {
            id: text(args, 2),
            end: jiff::Timestamp::UNIX_EPOCH,
            queue: text(args, 0),
            stretch: Stretch { list: "completed".to_owned(), from: 0, limit: 100 },
        },
        "list" => {
            let list = text(args, 1);
            let (from, limit) = (number(args, 2, 0), number(args, 3, 100));
            Call::List { queue: text(args, 0), stretch: Stretch { list, from, limit } }
        }
        other => panic!("{other}"),
    }
}

fn kecs_call(call: &str, args: &[&str]) -> kecs::call::Call {
    use kecs::call::{Call, ClusterSearch, ContainerLog, TaskList, TaskLog, TaskSearch};
    let id = text(args, 0);
    let rest = || args.iter().skip(1).map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    let search = || ClusterSearch { sought: id.clone(), token: None, known: Vec::new() };
    match call {
        "clusters" => Call::Clusters(None),
        "clusters-or-service" => Call::ClustersOrService(search()),
        "clusters-of-task" => Call::ClustersOfTask(search()),
        "find-known" => Call::FindKnown(TaskSearch { task: id.clone(), clusters: rest() }),
        "find" => Call::Find(TaskSearch { task: id.clone(), clusters: rest() }),
        "list" => Call::List(TaskList {
            cluster: id.clone(),
            service: Some(text(args, 1)).filter(|service| !service.is_empty()),
            desired: if args.get(2) == Some(&"STOPPED") { "STOPPED" } else { "RUNNING" },
            page: number(args, 3, 1),
        }),
        "describe" => Call::Describe { cluster: id.clone(), tasks: rest() },
        "describe-clusters" => Call::DescribeClusters,
        "definition" => Call::Definition { arn: id.clone(), task: text(args, 1) },
        "stop" => Call::Stop(id.clone()),
        "logs" => Call::Logs(ContainerLog {
            task: id.clone(),
            container: text(args, 1),
            offset: number(args, 2, 0),
            cluster: text(args, 3),
            region: text(args, 4),
            alone: args.get(5) == Some(&"alone"),
            way: way(args.get(6).copied().unwrap_or_default()),
            arn: text(args, 7),
            limit: number(args, 8, 500),
            most: false,
        }),
        "task-logs" => Call::TaskLogs(TaskLog {
            task: id.clone(),
            arn: text(args, 1),
            cluster: text(args, 2),
            tail: number(args, 3, 1_000),
            most: false,
        }),
        other => panic!("{other}"),
    }
}

fn bull_board_call(call: &str, args: &[&str]) -> bull_board::Call {
    use bull_board::{Call, LogPage, TablePage};
    let id = text(args, 0);
    let page = || TablePage {
        number: number(args, 0, 1),
        body: args.get(1).map_or_else(
            || serde_json::json!({"limit": 100}),
            |body| serde_json::from_str(body).unwrap(),
        ),
    };
    match call {
        "job" => Call::Job(id),
        "table" => Call::Table(page()),
        "search" => Call::Search(page()),
        "queues" => Call::Queues(page()),
        "stats" => Call::Stats,
        "queue-stats" => Call::QueueStats,
        "logs" => Call::Logs(LogPage {
            id,
            offset: number(args, 1, 0),
            way: way(args.get(2).copied().unwrap_or_default()),
            limit: number(args, 3, 1_000),
        }),
        "probe" => Call::Probe(id),
        "cancel" => Call::Cancel(id),
        "replay" => Call::Replay(id),
        other => panic!("{other}"),
    }
}
