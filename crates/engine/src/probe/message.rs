//! What a probe says: what, where, and what to do.

use jobwatch_core::probe::{Answer, Confidence, Finding, Typed};
use jobwatch_core::server::DialectKind;
use url::Url;

use super::ask::Trouble;
use super::{Look, Probed, at};

/// A kind was recognised at the address.
pub(super) fn chosen(typed: &Typed, look: Look) -> Probed {
    let mut found = look.found;
    found.retain(|finding| finding.confidence > Confidence::Possible);
    let Some(best) = found.first() else {
        return Probed { found, text: String::new(), instead: None };
    };
    let mut text = format!("{}: {}.", best.kind.title(), best.why);
    let same_scheme = look.typed.url.scheme() == typed.url.scheme();
    let mut instead = None;
    if !same_scheme && typed.scheme_given {
        let (spoken, meant) = (look.typed.url.scheme(), typed.url.scheme());
        text.push_str(&format!(" It speaks {spoken}, not {meant}."));
        // To more safety, or within this computer, without asking; a key in the clear only when
        // the user says so.
        if spoken == "http" && !typed.is_loopback() {
            instead = Some(look.typed.url.clone());
            text.push_str(" Without https, others on the network can read what is sent.");
        }
    }
    if best.kind == DialectKind::BullBoard {
        text.push_str(&bull_board(best));
    }
    if best.kind == DialectKind::Kecs && best.socket_there == Some(false) {
        text.push_str(" It has no socket: Jobwatch polls its API.");
    }
    if instead.is_some() {
        return Probed { found: Vec::new(), text, instead };
    }
    Probed { found, text, instead: None }
}

fn bull_board(finding: &Finding) -> String {
    let socket = at(&finding.socket);
    match (finding.socket_there, finding.wants_key) {
        (Some(true), None) => format!(
            " Its API was not found at {}: set the API URL to the address of its web page.",
            at(&finding.api)
        ),
        (Some(true), _) => format!(" Its socket is at {socket}."),
        _ => format!(
            " Its socket was not found at {socket}: set the socket URL (WEBSOCKET_URL in its \
             settings), or jobs are polled."
        ),
    }
}

/// Nothing at the address, but a server at another port of the host.
pub(super) fn nearby(typed: &Typed, first: Look, finding: Finding) -> Probed {
    let here = at(&typed.url);
    let what = match &first.root {
        Ok(answer) if answer.is_page() => format!("{here} is a web page"),
        Ok(answer) => format!("{here} answers HTTP {}", answer.status),
        Err(_) => format!("Nothing listens at {here}"),
    };
    let there = at(&finding.api);
    let text = format!("{what}, but {} answers at {there}: {}.", finding.kind.title(), finding.why);
    let mut url = finding.api.clone();
    url.set_path("/");
    Probed { found: Vec::new(), text, instead: Some(url) }
}

/// No kind was recognised.
pub(super) fn nothing(typed: &Typed, first: Look, second: Option<Look>) -> Probed {
    let here = at(&typed.url);
    let mut instead = None;
    let text = match (&first.root, second.as_ref().map(|look| (look, &look.root))) {
        // The other scheme was tried, and is the one that is spoken.
        (Err(Trouble::NoTls), Some((look, Ok(_)))) => {
            instead = Some(look.typed.url.clone());
            format!(
                "{here} speaks http, not https. Use {}; none of the servers Jobwatch knows was \
                 recognised there.",
                look.typed.url
            )
        }
        (Err(Trouble::NotHttp) | Ok(_), Some((look, Ok(_) | Err(Trouble::Certificate(_))))) => {
            instead = Some(look.typed.url.clone());
            format!("{here} speaks https, not http. Use {}.", look.typed.url)
        }
        (_, Some((_, Err(Trouble::Certificate(why))))) => sentence(why),
        (Ok(answer), _) => answered(&here, answer, &first),
        (Err(trouble), _) => {
            if let Trouble::Elsewhere(target) = trouble {
                instead = Some(target.clone());
            }
            describe(&typed.url, trouble)
        }
    };
    Probed { found: first.found, text, instead }
}

/// What keeps an address from answering: what, where, and what to do.
pub(super) fn describe(url: &Url, trouble: &Trouble) -> String {
    let here = at(url);
    match trouble {
        Trouble::NoName => format!(
            "Can't find \"{}\". Check the spelling, and whether this computer is online.",
            url.host_str().unwrap_or_default()
        ),
        Trouble::Refused => {
            format!("Nothing listens at {here}. Is the server running, and is the port right?")
        }
        Trouble::Silent => format!(
            "{here} did not answer within 5 s. Check the address, and whether a firewall or VPN is \
             in the way."
        ),
        Trouble::NoTls | Trouble::NotHttp => {
            format!("{here} takes connections, but speaks neither http nor https. Check the port.")
        }
        Trouble::Certificate(words) | Trouble::Other(words) => sentence(words),
        Trouble::Elsewhere(target) => format!(
            "{here} redirects to {target}. If that is the server, use that address; if it is a \
             sign-in page in front of it, this address needs a key or further headers."
        ),
    }
}

fn answered(here: &str, answer: &Answer, look: &Look) -> String {
    let choose = "choose the kind of server";
    if look.locked {
        return format!(
            "{here} wants a key or password before it says anything (HTTP {}). Choose the kind of \
             server, enter the key, and test.",
            answer.status
        );
    }
    if let Some(finding) = look.found.first() {
        return format!(
            "{here} may be {}: {}. Others answer like this too: {choose}.",
            finding.kind.title(),
            finding.why
        );
    }
    if answer.is_page() && answer.status == 200 {
        let title = answer.title().map(|title| format!(" titled \"{}\"", short(&title)));
        return format!(
            "{here} is a web page{}, and none of the servers Jobwatch knows answers there. The \
             server's API may be at another address: enter that.",
            title.unwrap_or_default()
        );
    }
    format!(
        "{here} answers (HTTP {}), but as none of the servers Jobwatch knows. Check host, port and \
         path, or {choose} yourself.",
        answer.status
    )
}

/// A title is a server's text: little of it is quoted.
fn short(title: &str) -> String {
    let mut short: String = title.chars().filter(|c| !c.is_control()).take(60).collect();
    if short.len() < title.len() {
        short.push('…');
    }
    short
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
