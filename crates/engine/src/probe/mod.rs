//! Finding out which kind of server answers at a pasted address.
//!
//! What all kinds are recognised by is asked side by side, bounded in number and time; no request
//! carries a key. What the answers mean is decided in [`jobwatch_core::probe`].

mod ask;
mod message;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jobwatch_core::dialect::{bull_board, kecs, triggerx};
use jobwatch_core::probe::{
    self, Answer, Check, Confidence, Finding, Typed, checks, judge, usual_ports,
};
use jobwatch_core::server::DialectKind;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::api::{ProbeFound, ProbeView, Remedy};
use crate::fetch::{Clients, place};
use ask::{Trouble, ask};

/// For a whole probe.
pub const LIMIT: Duration = Duration::from_millis(4_800);
/// For one place of several that are looked at one after another.
const TURN: Duration = Duration::from_millis(2_400);
/// Questions under way at once.
const AT_ONCE: usize = 8;
/// Questions of one probe in all.
const QUESTIONS: usize = 48;

/// Ports at which parts of a kind usually are, on the host that was typed.
pub type Usual = [(u16, Vec<DialectKind>)];

/// What a probe found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Probed {
    /// The kinds that answer, the likeliest first.
    pub found: Vec<Finding>,
    /// Which kind was chosen and why, or what is wrong, where, and what to do.
    pub text: String,
    /// Another address, which the user should confirm before it is taken.
    pub instead: Option<Url>,
}

impl Probed {
    /// As the page sees it.
    #[must_use]
    pub fn view(&self) -> ProbeView {
        ProbeView {
            found: self.found.iter().map(found_view).collect(),
            text: self.text.clone(),
            instead: self.instead.as_ref().map(ToString::to_string),
            proxy: None,
        }
    }
}

fn found_view(finding: &Finding) -> ProbeFound {
    // Where the API is beside the socket, that need not be written down.
    let beside = finding.kind != DialectKind::BullBoard
        && probe::base_of(finding.kind, &finding.api).path() == "/"
        && probe::socket_url(&finding.api).origin() == finding.socket.origin();
    let options = finding.options.iter();
    ProbeFound {
        dialect: finding.kind.word().to_owned(),
        title: finding.kind.title().to_owned(),
        sure: finding.confidence >= Confidence::Likely,
        // A guess is no better than what was typed.
        ws: match (finding.kind, finding.socket_there) {
            (DialectKind::BullBoard, None | Some(false)) => String::new(),
            _ => finding.socket.to_string(),
        },
        api: if beside { String::new() } else { finding.api.to_string() },
        options: options.map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        wants_key: finding.wants_key,
    }
}

/// Looks at what is behind the address `typed`, trusting the authorities in `extra_ca` as well.
pub async fn run(typed: &str, extra_ca: Option<PathBuf>) -> Probed {
    run_with(typed, extra_ca, &usual_ports()).await
}

/// The proxy that leads to the address `typed`, if any: host and port.
pub async fn proxy_to(typed: &str) -> Option<String> {
    let typed = probe::read(typed).ok()?;
    Clients::default().proxy_to(&typed.url).await.map(|proxy| proxy.place())
}

/// As [`run`], with these ports instead of the usual ones.
pub async fn run_with(typed: &str, extra_ca: Option<PathBuf>, usual: &Usual) -> Probed {
    let typed = match probe::read(typed) {
        Ok(typed) => typed,
        Err(text) => return Probed { found: Vec::new(), text, instead: None },
    };
    let probe = Probe {
        clients: Clients::new(extra_ca),
        deadline: Instant::now() + LIMIT,
        asked: Mutex::new(0),
        usual,
    };
    probe.run(typed).await
}

struct Probe<'a> {
    clients: Clients,
    deadline: Instant,
    asked: Mutex<usize>,
    usual: &'a Usual,
}

/// What one place gave.
struct Look {
    /// Which place, as it was asked.
    typed: Typed,
    found: Vec<Finding>,
    /// What came from the address itself.
    root: Result<Answer, Trouble>,
    /// Whether every answer was a refusal for want of a key.
    locked: bool,
}

impl Look {
    /// A kind that may be chosen without asking.
    fn best(&self) -> Option<&Finding> {
        self.found.first().filter(|finding| finding.confidence >= Confidence::Likely)
    }
}

impl Probe<'_> {
    async fn run(&self, typed: Typed) -> Probed {
        // What was typed without a scheme may mean either; one that was typed is meant.
        let turn = if typed.scheme_given { self.deadline } else { Instant::now() + TURN };
        let first = self.look(&typed, turn).await;
        if first.best().is_some() {
            return self.chosen(first, &typed).await;
        }
        let other = match &first.root {
            Err(Trouble::NoTls | Trouble::NotHttp) => Some(typed.other_scheme()),
            Err(Trouble::Elsewhere(target)) => self.secure_twin(&typed, target),
            Err(Trouble::Refused | Trouble::Silent) if !typed.scheme_given => {
                Some(typed.other_scheme())
            }
            // Servers of TLS say so in their own words, with a status.
            Ok(answer) if answer.status == 400 && typed.url.scheme() == "http" => {
                Some(typed.other_scheme())
            }
            _ => None,
        };
        let mut second = None;
        if let Some(other) = other {
            let look = self.look(&other, self.deadline).await;
            if look.best().is_some() {
                return self.chosen(look, &typed).await;
            }
            second = Some(look);
        }
        let nearby = match &first.root {
            Ok(_) | Err(Trouble::Refused) => self.nearby(&typed).await,
            _ => None,
        };
        if let Some(finding) = nearby {
            return message::nearby(&typed, first, finding);
        }
        message::nothing(&typed, first, second)
    }

    /// Where a redirect leads only to the same host by TLS.
    fn secure_twin(&self, typed: &Typed, target: &Url) -> Option<Typed> {
        let twin = target.scheme() == "https"
            && typed.url.scheme() == "http"
            && target.host() == typed.url.host();
        let mut url = typed.url.clone();
        url.set_scheme("https").ok().filter(|()| twin)?;
        url.set_port(target.port()).ok()?;
        Some(Typed { url, ..typed.clone() })
    }

    /// Asks what every kind is recognised by, at the address and at the bases it may mean.
    async fn look(&self, typed: &Typed, until: Instant) -> Look {
        let mut look = Look {
            typed: typed.clone(),
            found: Vec::new(),
            root: Err(Trouble::Silent),
            locked: false,
        };
        let checks_of_all = checks(&DialectKind::ALL);
        let bases = typed.bases();
        for (index, base) in bases.iter().enumerate() {
            let mut asked: Vec<(Check, Url)> =
                checks_of_all.iter().map(|what| (*what, base.clone())).collect();
            if index == 0 {
                // As it was typed: a page may be there, though its server's root is elsewhere.
                asked.insert(0, (Check::ROOT, typed.url.clone()));
            }
            let mut answers = self.ask_all(asked, until, index == 0).await;
            if index == 0 {
                look.root = answers.remove(&Check::ROOT).unwrap_or(Err(Trouble::Silent));
            }
            let mut answered: BTreeMap<Check, Answer> = answers
                .into_iter()
                .filter_map(|(what, answer)| Some((what, answer.ok()?)))
                .collect();
            if let Ok(root) = &look.root {
                answered.insert(Check::ROOT, root.clone());
            }
            look.locked |= !answered.is_empty()
                && answered.values().all(|answer| matches!(answer.status, 401 | 403 | 407));
            look.found.extend(judge(base, &answered));
            look.found.sort_by_key(|finding| std::cmp::Reverse(finding.confidence));
            let known = look.found.first().is_some_and(|one| one.confidence == Confidence::Certain);
            if known || look.root.is_err() {
                break;
            }
        }
        // One kind may have been found below several bases.
        let mut kinds = Vec::new();
        look.found.retain(|finding| {
            let new = !kinds.contains(&finding.kind);
            kinds.push(finding.kind);
            new
        });
        look
    }

    /// Asks side by side. When the address itself cannot be reached, the other questions are not
    /// waited for.
    async fn ask_all(
        &self,
        asked: Vec<(Check, Url)>,
        until: Instant,
        stop_with_root: bool,
    ) -> BTreeMap<Check, Result<Answer, Trouble>> {
        let answers = Arc::new(Mutex::new(BTreeMap::new()));
        let kept = Arc::clone(&answers);
        let work = async move {
            let mut waiting = asked.into_iter();
            let mut under_way = FuturesUnordered::new();
            loop {
                while under_way.len() < AT_ONCE && self.may_ask() {
                    let Some((what, base)) = waiting.next() else { break };
                    under_way.push(async move { (what, ask(&self.clients, &what, &base).await) });
                }
                let Some((what, answer)) = under_way.next().await else { return };
                let lost = what == Check::ROOT && answer.is_err();
                kept.lock().unwrap_or_else(PoisonError::into_inner).insert(what, answer);
                if lost && stop_with_root {
                    return;
                }
            }
        };
        let _ = timeout_at(until.min(self.deadline), work).await;
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *answers)
    }

    /// Counts a question, if one is left.
    fn may_ask(&self) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asked += 1;
        *asked <= QUESTIONS
    }

    /// Looks for a server at the usual ports of the host.
    async fn nearby(&self, typed: &Typed) -> Option<Finding> {
        let mut looks = FuturesUnordered::new();
        for (port, kinds) in self.usual {
            let mut base = typed.url.clone();
            if base.port_or_known_default() == Some(*port) || base.set_port(Some(*port)).is_err() {
                continue;
            }
            base.set_path("/");
            let mut asked = vec![(Check::ROOT, base.clone())];
            asked.extend(checks(kinds).into_iter().map(|what| (what, base.clone())));
            looks.push(async move {
                let answers = self.ask_all(asked, self.deadline, true).await;
                let answers = answers.into_iter();
                let answers = answers.filter_map(|(what, answer)| Some((what, answer.ok()?)));
                judge(&base, &answers.collect())
            });
        }
        let mut found = Vec::new();
        while let Some(findings) = looks.next().await {
            found.extend(findings);
        }
        found.sort_by_key(|finding| std::cmp::Reverse(finding.confidence));
        found.into_iter().find(|finding| finding.confidence >= Confidence::Likely)
    }

    /// Completes what was found, and words it.
    async fn chosen(&self, mut look: Look, typed: &Typed) -> Probed {
        let Some(best) = look.found.first_mut() else {
            return message::nothing(typed, look, None);
        };
        match best.kind {
            DialectKind::BullBoard => self.complete_bull_board(best).await,
            DialectKind::Kecs => self.complete_kecs(best).await,
            _ => {}
        }
        message::chosen(typed, look)
    }

    /// The socket and the API of Better Bull Board are two programs on two ports.
    async fn complete_bull_board(&self, finding: &mut Finding) {
        if finding.socket_there != Some(true) {
            let mut base = finding.socket.clone();
            // Between special schemes this is always possible.
            let _ = base.set_scheme(if base.scheme() == "wss" { "https" } else { "http" });
            let answers =
                self.ask_all(vec![(bull_board::SOCKET, base)], self.deadline, false).await;
            finding.socket_there = Some(matches!(
                answers.get(&bull_board::SOCKET),
                Some(Ok(answer)) if answer.status == 101 && answer.alive
            ));
            return;
        }
        if finding.wants_key.is_none() {
            // The socket was typed: its API is another program's.
            let mut base = finding.api.clone();
            base.set_path("/");
            let asked = vec![
                (Check::ROOT, base.clone()),
                (bull_board::STATS, base.clone()),
                (bull_board::USER, base.clone()),
            ];
            let answers = self.ask_all(asked, self.deadline, true).await;
            let answers = answers.into_iter();
            let answers = answers.filter_map(|(what, answer)| Some((what, answer.ok()?)));
            let found = judge(&base, &answers.collect());
            if let Some(api) = found.into_iter().find(|one| one.kind == DialectKind::BullBoard) {
                finding.wants_key = api.wants_key;
                finding.confidence = Confidence::Certain;
            }
        }
    }

    /// The admin server, which serves the logs, is usually on the port after the API's.
    async fn complete_kecs(&self, finding: &mut Finding) {
        if !finding.options.is_empty() {
            if finding.socket_there.is_none() {
                let mut base = finding.api.clone();
                base.set_path("/");
                let asked = vec![(kecs::SOCKET, base)];
                let answers = self.ask_all(asked, self.deadline, false).await;
                if let Some(Ok(answer)) = answers.get(&kecs::SOCKET) {
                    finding.socket_there = Some(answer.status == 101);
                }
            }
            return;
        }
        let port = finding.api.port_or_known_default().unwrap_or(8080);
        for port in [port.saturating_add(1), 8081] {
            let mut base = finding.api.clone();
            if base.set_port(Some(port)).is_err() {
                continue;
            }
            base.set_path("/");
            let asked = vec![(kecs::ADMIN, base.clone())];
            let answers = self.ask_all(asked, self.deadline, false).await;
            let answers = answers.into_iter();
            let answers = answers.filter_map(|(what, answer)| Some((what, answer.ok()?)));
            if let Some(admin) = judge(&base, &answers.collect()).into_iter().next() {
                finding.options = admin.options;
                return;
            }
        }
    }
}

/// Whether a server can be reached.
pub(crate) enum Reach {
    /// Something answers, whatever it says.
    Answers,
    /// Nothing does: why, and what can be done.
    Fails(String, Remedy),
}

/// Whether anything answers at `url`, asked within `limit` and without a key.
pub(crate) async fn reach(clients: &Clients, url: &Url, limit: Duration) -> Reach {
    let asked = timeout(limit, knock(clients, url)).await.unwrap_or(Err(Trouble::Silent));
    let trouble = match asked {
        // A redirect to elsewhere is an answer.
        Ok(()) | Err(Trouble::Elsewhere(_)) => return Reach::Answers,
        Err(trouble) => trouble,
    };
    if matches!(trouble, Trouble::NoTls | Trouble::NotHttp)
        && let Some(text) = other_scheme(clients, url, limit).await
    {
        return Reach::Fails(text, Remedy::SetSocketUrl);
    }
    let remedy = match &trouble {
        Trouble::Certificate(_) => Remedy::TrustCertificate,
        Trouble::Silent | Trouble::Other(_) => Remedy::Reconnect,
        _ => Remedy::SetSocketUrl,
    };
    Reach::Fails(message::describe(url, &trouble), remedy)
}

async fn knock(clients: &Clients, url: &Url) -> Result<(), Trouble> {
    let answer = ask(clients, &Check::ROOT, url).await?;
    // Servers of TLS answer plain HTTP in their own words, with this status.
    let plain_on_tls =
        answer.status == 400 && url.scheme() == "http" && answer.body.contains("HTTPS");
    if plain_on_tls { Err(Trouble::NotHttp) } else { Ok(()) }
}

/// Where the other scheme is the one that is spoken, a sentence that says so.
async fn other_scheme(clients: &Clients, url: &Url, limit: Duration) -> Option<String> {
    let mut other = url.clone();
    let (meant, spoken) = match url.scheme() {
        "https" => ("https", "http"),
        _ => ("http", "https"),
    };
    other.set_scheme(spoken).ok()?;
    let answer = timeout(limit, ask(clients, &Check::ROOT, &other)).await.ok()?;
    let speaks = matches!(answer, Ok(_) | Err(Trouble::Certificate(_) | Trouble::Elsewhere(_)));
    let here = at(url);
    speaks.then(|| format!("{here} speaks {spoken}, not {meant}. Use {spoken}://{here}."))
}

/// What answers as a server's API.
pub(crate) enum Identity {
    /// The kind that it should be.
    This {
        /// Whether it wants a key; `None` where that did not come out.
        wants_key: Option<bool>,
    },
    /// Another kind, or no server of jobs at all: in a sentence, with what can be done.
    Other(String, Remedy),
    /// It cannot be reached: why, and what can be done.
    Unreachable(String, Remedy),
    /// It answers, but not in a way that tells.
    Unknown,
}

/// Whether the API at `api` is one of `kind`, asked without a key.
pub(crate) async fn identify(clients: &Clients, kind: DialectKind, api: &Url) -> Identity {
    let base = probe::base_of(kind, api);
    let deadline = Instant::now() + LIMIT;
    let mut answers = BTreeMap::new();
    let mut trouble = None;
    let mut asked = FuturesUnordered::new();
    let checks_of_all = checks(&DialectKind::ALL).into_iter().chain([Check::ROOT]);
    for what in checks_of_all {
        // Whether there is a socket is another step's question.
        if what.upgrade && !matches!(what, triggerx::SOCKET | kecs::SOCKET) {
            continue;
        }
        let base = &base;
        asked.push(async move { (what, ask(clients, &what, base).await) });
    }
    while let Ok(Some((what, answer))) = timeout_at(deadline, asked.next()).await {
        match answer {
            Ok(answer) => drop(answers.insert(what, answer)),
            Err(Trouble::Elsewhere(_)) => {}
            Err(error) if what == Check::ROOT => {
                trouble = Some(error);
                break;
            }
            Err(_) => {}
        }
    }
    drop(asked);
    if answers.is_empty() {
        let trouble = trouble.unwrap_or(Trouble::Silent);
        if matches!(trouble, Trouble::NoTls | Trouble::NotHttp)
            && let Some(text) = other_scheme(clients, api, TURN).await
        {
            return Identity::Unreachable(text, Remedy::SetApiUrl);
        }
        let remedy = match &trouble {
            Trouble::Certificate(_) => Remedy::TrustCertificate,
            _ => Remedy::SetApiUrl,
        };
        return Identity::Unreachable(message::describe(api, &trouble), remedy);
    }
    let found = judge(&base, &answers);
    let this = found.iter().find(|finding| finding.kind == kind);
    // Found are the surest first.
    let surest = found.first().map(|finding| finding.confidence);
    if let Some(this) = this.filter(|this| Some(this.confidence) == surest) {
        return Identity::This { wants_key: this.wants_key };
    }
    if let Some(other) = found.first().filter(|finding| finding.confidence >= Confidence::Likely) {
        let text = format!(
            "{} answers as {}, not as {}. Choose that kind, or another API URL.",
            at(api),
            other.kind.title(),
            kind.title()
        );
        return Identity::Other(text, Remedy::ChooseKind);
    }
    match answers.get(&Check::ROOT) {
        Some(page) if page.is_page() && page.status == 200 => {
            let text = format!(
                "{} is a web page, not the API of {}. Set the API URL to where that is.",
                at(api),
                kind.title()
            );
            Identity::Other(text, Remedy::SetApiUrl)
        }
        _ => Identity::Unknown,
    }
}

/// Host and port of a URL, for people.
fn at(url: &Url) -> String {
    place(url)
}
