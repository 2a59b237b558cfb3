use super::*;

/// As it stands in a string of JSON.
fn in_json(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap();
    json[1..json.len() - 1].to_owned()
}

#[test]
fn a_key_is_removed_in_every_way_it_may_be_written() {
    let key = Secret::new(r#"a"b/c+d e"#.to_owned());
    let redactor = Redactor::new(Some(&key));
    let json = serde_json::json!({ "token": r#"a"b/c+d e"# }).to_string();
    assert_eq!(redactor.clean(&json), r#"{"token":"[redacted]"}"#);
    assert_eq!(redactor.clean("?k=a%22b%2Fc%2Bd%20e"), "?k=[redacted]");
    assert_eq!(redactor.clean("?k=a%22b%2Fc%2Bd+e"), "?k=[redacted]");
    assert_eq!(redactor.clean(r#"raw a"b/c+d e."#), "raw [redacted].");
}

#[test]
fn a_key_across_the_cut_does_not_show_its_beginning() {
    let redactor = Redactor::new(Some(&Secret::new("sk-secret-value".to_owned())));
    let shown = redactor.clean_prefix("0123456789sk-secret-value and more", 14);
    assert!(!shown.contains("sk-"), "{shown}");
}

#[test]
fn a_long_key_that_occurs_twice_leaves_no_piece_of_itself_at_any_cut() {
    let key: String = (0..60).map(|n| format!("k{n:03}.")).collect();
    assert_eq!(key.len(), 300);
    let redactor = Redactor::new(Some(&Secret::new(key.clone())));
    let text = format!("{{\"a\":\"{key}\",\"b\":\"{key}\",\"c\":\"{}\"}}", "x".repeat(900));
    for limit in 0..text.len() {
        let shown = redactor.clean_prefix(&text, limit);
        assert!(shown.len() <= limit);
        for at in 0..key.len() - 8 {
            assert!(!shown.contains(&key[at..at + 8]), "{limit}: {shown}");
        }
    }
}

#[test]
fn bytes_that_are_cut_show_no_piece_of_a_key_however_long_it_is() {
    let key: String = (0..2_000).map(|n| format!("{n:04}.")).collect();
    let redactor = Redactor::new(Some(&Secret::new(key.clone())));
    for before in [0, 90, 100, 110] {
        let body = format!("{}{key} and more", "-".repeat(before));
        let shown = redactor.clean_head(body.as_bytes(), 100);
        assert!(!shown.contains("0000."), "{before}: {shown}");
    }
    assert_eq!(redactor.clean_head(b"a\xffb", 100), "a\u{fffd}b");
}

#[test]
fn the_values_of_further_headers_are_as_secret_as_the_key() {
    let text = "sk-1234\nCF-Access-Client-Id: client-7\nX-Org: ab";
    let redactor = Redactor::new(Some(&Secret::new(text.to_owned())));
    let said = "denied: sk-1234 client-7 CF-Access-Client-Id ab";
    assert_eq!(redactor.clean(said), "denied: [redacted] [redacted] CF-Access-Client-Id ab");
}

#[test]
fn a_key_that_begins_another_leaves_nothing_of_it() {
    let mut redactor = Redactor::new(Some(&Secret::new("sk-old".to_owned())));
    redactor.add(&Secret::new("sk-old-and-new".to_owned()));
    assert_eq!(redactor.clean("sk-old-and-new sk-old"), "[redacted] [redacted]");
}

#[test]
fn json_stays_json_without_the_key() {
    let clean = |key: &str, text: &str| {
        let mut json = Json::parse(text).unwrap();
        Redactor::new(Some(&Secret::new(key.to_owned()))).clean_json(&mut json);
        json.as_str().to_owned()
    };
    assert_eq!(clean("sk/1", r#"{"u":"x?k=sk\/1","n":1.0}"#), r#"{"u":"x?k=[redacted]","n":1.0}"#);
    assert_eq!(clean("4711", "[4711]"), r#""[[redacted]]""#);
}

#[test]
fn a_key_is_removed_as_the_encoders_of_other_languages_write_it() {
    let key = r#"a&b<c>/d+e'f"g\h é🔑="#;
    let redactor = Redactor::new(Some(&Secret::new(key.to_owned())));
    let nested = in_json(&in_json(key));
    let twice = url::form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>();
    let twice = url::form_urlencoded::byte_serialize(twice.as_bytes()).collect::<String>();
    for written in [
        // Go.
        r#"a\u0026b\u003cc\u003e/d+e'f\"g\\h é🔑="#,
        // .NET.
        r#"a\u0026b\u003Cc\u003E/d\u002Be\u0027f\u0022g\\h \u00E9\uD83D\uDD11="#,
        // PHP and Python.
        r#"a&b<c>\/d+e'f\"g\\h \u00e9\ud83d\udd11="#,
        // Percent-encoded in lower case.
        "a%26b%3cc%3e%2fd%2be%27f%22g%5ch%20%c3%a9%f0%9f%94%91%3d",
        // A web page.
        "a&amp;b&lt;c&gt;/d+e&#39;f&quot;g\\h é🔑=",
        &nested,
        &twice,
    ] {
        assert_eq!(redactor.clean(&format!("before {written} after")), "before [redacted] after");
    }
    assert_eq!(redactor.clean("a&b<c>/d+e'f"), "a&b<c>/d+e'f", "a part is not the key");
}

#[test]
fn what_an_address_holds_of_secrets_is_removed_too() {
    let mut server: Server = serde_json::from_str(
        r#"{"id":"s","name":"S","dialect":"kecs","ws":"wss://h/x?api_key=sk%2F1&page=2"}"#,
    )
    .unwrap();
    server.api = Some("https://bob:pass%2Bword@h/".to_owned());
    server.options.insert("admin".to_owned(), "h:1?token=to-ken".to_owned());
    let redactor = Redactor::of(&server, None);
    assert_eq!(
        redactor.clean("sk/1 sk%2f1 pass+word to-ken page 2 bob"),
        "[redacted] [redacted] [redacted] [redacted] page 2 bob"
    );
}

#[test]
fn a_key_is_removed_where_the_escape_before_it_ends_in_its_own_digits() {
    let redactor = Redactor::new(Some(&Secret::new("'77é".to_owned())));
    assert_eq!(redactor.clean("key=%2777%C3%A9&page=2"), format!("key={REDACTED}&page=2"));
}

proptest::proptest! {
    #[test]
    fn no_key_survives_its_removal(
        key in "[ -~é]{4,20}", before in "[ -~]{0,20}", after in "[ -~]{0,20}",
    ) {
        let key = Secret::new(key);
        proptest::prop_assume!(key.expose().len() >= 4 && !REDACTED.contains(key.expose()));
        let redactor = Redactor::new(Some(&key));
        let json = in_json(key.expose());
        let form: String = url::form_urlencoded::byte_serialize(key.expose().as_bytes()).collect();
        for written in [key.expose(), json.as_str(), form.as_str()] {
            let text = format!("{before}{written}{after}");
            proptest::prop_assert!(redactor.finds(&text), "{text}");
        }
    }
}
