//! What a dialect says about odd input may quote it, but no piece of the key, wherever a cut falls.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::{FetchResponse, Frame, Incoming};
use jobwatch_core::redact::Redactor;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::DialectKind;
use jobwatch_core::wire::json;
use support::speaking;

/// Its quotes are escaped in JSON, so that only a whole one is recognised.
const KEY: &str = "sk-\"edge\"/\"case\"-0123456789";

const KINDS: [DialectKind; 5] = [
    DialectKind::TriggerX,
    DialectKind::StudyBuddy,
    DialectKind::Analyzer,
    DialectKind::Kecs,
    DialectKind::BullBoard,
];

#[test]
fn a_key_at_the_edge_of_a_sample_leaves_no_piece_of_itself() {
    let redactor = Redactor::new(Some(&Secret::new(KEY.to_owned())));
    let quoted = serde_json::to_string(KEY).unwrap();
    for kind in KINDS {
        for before in (300..430).step_by(3).chain(16_300..16_400) {
            let odd = format!("{{\"pad\":\"{}\",\"key\":{quoted},", "x".repeat(before));
            let mut dialect = speaking(kind, Some(KEY));
            let _ = dialect.open();
            let mut all = dialect.opened();
            for text in [odd.clone(), format!("42{odd}"), format!("42[\"x\",{odd}")] {
                all.extend(dialect.decode(&Frame::Text(text)));
            }
            let ask = dialect
                .fetch(&jobwatch_core::model::Topic::Everything)
                .into_iter()
                .next()
                .map(|asked| asked.ask);
            let Some(ask) = ask else { continue };
            let answer = FetchResponse {
                status: 500,
                content_type: Some("application/json".to_owned()),
                body: odd.into_bytes(),
            };
            all.extend(dialect.parse(&ask, &answer));
            for item in all {
                let Incoming::Unknown(diagnostic) = item else { continue };
                let text = redactor.clean_prefix(&diagnostic.text, 1_000);
                let sample = diagnostic.sample.unwrap_or_default();
                let sample = redactor.clean_prefix(&sample, json::SAMPLE);
                for shown in [text, sample] {
                    assert!(!shown.contains("edge"), "{kind:?}, {before}: {shown}");
                }
            }
        }
    }
}
