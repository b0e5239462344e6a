use super::*;

fn round_trips<W: Copy + PartialEq + std::fmt::Debug + Serialize + for<'a> Deserialize<'a>>(
    all: &[W],
    word: fn(W) -> &'static str,
    parse: fn(&str) -> W,
) {
    for &one in all {
        assert_eq!(parse(word(one)), one);
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(json, format!("\"{}\"", word(one)));
        assert_eq!(serde_json::from_str::<W>(&json).unwrap(), one);
    }
    assert_eq!(word(parse("of a newer version")), "unknown");
}

#[test]
fn every_word_is_read_as_it_is_written() {
    round_trips(TargetKind::ALL, TargetKind::word, TargetKind::parse);
    round_trips(DeliveryState::ALL, DeliveryState::word, DeliveryState::parse);
    round_trips(DeliveryOutcome::ALL, DeliveryOutcome::word, DeliveryOutcome::parse);
    round_trips(SkipReason::ALL, SkipReason::word, SkipReason::parse);
    round_trips(GiveUp::ALL, GiveUp::word, GiveUp::parse);
    round_trips(HeldBy::ALL, HeldBy::word, HeldBy::parse);
    round_trips(Origin::ALL, Origin::word, Origin::parse);
}

#[test]
fn the_json_of_a_word_of_a_newer_version_is_read() {
    assert_eq!(serde_json::from_str::<SkipReason>("\"levitating\"").unwrap(), SkipReason::Unknown);
}

#[test]
fn a_reason_is_one_text() {
    for (text, reason) in [
        ("", Reason::None),
        ("digest", Reason::Digest),
        ("not authenticated", Reason::Skip(SkipReason::Pending)),
        ("another user", Reason::Skip(SkipReason::AnotherUser)),
        ("expired", Reason::GaveUp(GiveUp::Expired)),
        ("no transport takes this token", Reason::GaveUp(GiveUp::NoTransport)),
        ("unknown", Reason::Text("unknown".to_owned())),
        ("429 TooManyRequests", Reason::Text("429 TooManyRequests".to_owned())),
    ] {
        assert_eq!(Reason::parse(text), reason);
        assert_eq!(reason.as_str(), text);
        assert_eq!(serde_json::to_value(&reason).unwrap(), text);
        assert_eq!(serde_json::from_value::<Reason>(text.into()).unwrap(), reason);
    }
}

#[test]
fn the_labels_of_metrics_keep_their_words() {
    let labels = [SkipReason::OtherTarget, SkipReason::Pending, SkipReason::PushOff, SkipReason::Rights];
    assert_eq!(labels.map(SkipReason::label), ["other_target", "pending", "push_off", "rights"]);
    assert!(SkipReason::ALL.iter().all(|reason| !reason.label().contains(' ')));
}

#[test]
fn the_words_in_existing_state_files_do_not_change() {
    let decisions: Vec<_> = DeliveryState::ALL.iter().map(|word| word.word()).collect();
    assert_eq!(decisions, ["queued", "sent", "skipped", "failed"]);
    let reasons: Vec<_> = SkipReason::ALL.iter().map(|word| word.word()).collect();
    let expected = [
        "rights",
        "filter",
        "interval",
        "other target",
        "not authenticated",
        "slow",
        "ending",
        "user",
        "disabled",
        "muted",
        "snoozed",
        "muted by rule",
        "no labels",
        "push is off",
        "shadow",
        "revoked",
        "another user",
        "not started",
        "cannot be replaced",
        "not configured",
        "another node",
        "not decided",
        "not announced",
    ];
    assert_eq!(reasons, expected);
    assert_eq!(
        Origin::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(),
        ["poll", "reconciled", "test", "snooze", "trouble"]
    );
}
