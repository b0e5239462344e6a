use super::Permission::{Allowed, Denied, Inherit};
use super::*;

/// Group 1 holds monitor 1; its child 2 holds 2 and 3; group 3 holds 3 and 4.
fn groups() -> Groups {
    let mut groups = Groups::default();
    groups.add(1, None);
    groups.add(2, Some(1));
    groups.add(3, None);
    for (group, monitor) in [(1, 1), (2, 2), (2, 3), (3, 3), (3, 4)] {
        groups.add_member(group, MonitorId(monitor));
    }
    groups
}

fn grants(monitors: &[(u32, Permission)], groups: &[(GroupId, Permission)]) -> Grants {
    let mut grants = Grants::default();
    for (monitor, permission) in monitors {
        grants.add_monitor(MonitorId(*monitor), *permission);
    }
    for (group, permission) in groups {
        grants.add_group(*group, *permission);
    }
    grants
}

fn ids(monitors: &[u32]) -> Arc<BTreeSet<MonitorId>> {
    Arc::new(monitors.iter().copied().map(MonitorId).collect())
}

fn only(monitors: &[u32]) -> MonitorRights {
    MonitorRights::Only(ids(monitors))
}

fn except(monitors: &[u32]) -> MonitorRights {
    MonitorRights::Except(ids(monitors))
}

#[test]
fn the_users_own_permissions() {
    let table = [
        ("nothing said, general right", grants(&[], &[]), true, MonitorRights::All),
        ("nothing said, no general right", grants(&[], &[]), false, only(&[])),
        ("one denied", grants(&[(2, Denied)], &[]), true, except(&[2])),
        ("one allowed", grants(&[(2, Allowed)], &[]), false, only(&[2])),
        ("allowed what is allowed anyway", grants(&[(2, Allowed)], &[]), true, MonitorRights::All),
        ("denied what is denied anyway", grants(&[(2, Denied)], &[]), false, only(&[])),
        ("inherit says nothing", grants(&[(2, Inherit)], &[(3, Inherit)]), true, MonitorRights::All),
        ("a group with its sub-groups", grants(&[], &[(1, Allowed)]), false, only(&[1, 2, 3])),
        ("a group denied with its sub-groups", grants(&[], &[(1, Denied)]), true, except(&[1, 2, 3])),
        ("a sub-group alone", grants(&[], &[(2, Allowed)]), false, only(&[2, 3])),
        ("one group denies, another allows", grants(&[], &[(2, Allowed), (3, Denied)]), false, only(&[2])),
        ("one group says nothing", grants(&[], &[(2, Allowed), (3, Inherit)]), false, only(&[2, 3])),
        ("the monitor outweighs its group", grants(&[(2, Allowed)], &[(1, Denied)]), false, only(&[2])),
        (
            "the monitor outweighs it the other way",
            grants(&[(2, Denied)], &[(1, Allowed)]),
            false,
            only(&[1, 3]),
        ),
        ("inherit leaves it to the group", grants(&[(2, Inherit)], &[(2, Allowed)]), false, only(&[2, 3])),
        (
            "a denied parent outweighs the child",
            grants(&[], &[(1, Denied), (2, Allowed)]),
            true,
            except(&[1, 2, 3]),
        ),
        ("a group that is gone", grants(&[], &[(9, Allowed)]), false, only(&[])),
    ];
    for (case, user, general, expected) in table {
        assert_eq!(resolve(&[&user], &groups(), general), expected, "{case}");
    }
}

#[test]
fn the_role_is_asked_where_the_user_says_nothing() {
    let silent = grants(&[], &[]);
    let table = [
        ("the role allows", silent.clone(), grants(&[(4, Allowed)], &[]), false, only(&[4])),
        ("the role's group denies", silent, grants(&[], &[(3, Denied)]), true, except(&[3, 4])),
        (
            "the user outweighs the role",
            grants(&[(4, Denied)], &[]),
            grants(&[(4, Allowed)], &[]),
            false,
            only(&[]),
        ),
        (
            "the user's group outweighs the role's monitor",
            grants(&[], &[(3, Allowed)]),
            grants(&[(4, Denied)], &[]),
            false,
            only(&[3, 4]),
        ),
        (
            "inherit of the user",
            grants(&[(4, Inherit)], &[]),
            grants(&[(4, Allowed)], &[]),
            false,
            only(&[4]),
        ),
    ];
    for (case, user, role, general, expected) in table {
        assert_eq!(resolve(&[&user, &role], &groups(), general), expected, "{case}");
    }
}

#[test]
fn monitors_that_come_later_follow_the_general_right() {
    let later = MonitorId(99);
    assert!(resolve(&[&grants(&[(1, Denied)], &[])], &groups(), true).allow(later));
    assert!(!resolve(&[&grants(&[(1, Allowed)], &[])], &groups(), false).allow(later));
}

#[test]
fn groups_in_a_circle_end() {
    let mut circle = Groups::default();
    circle.add(1, Some(2));
    circle.add(2, Some(1));
    circle.add(3, Some(3));
    circle.add_member(2, MonitorId(7));
    circle.add_member(3, MonitorId(8));
    let user = grants(&[], &[(1, Allowed), (3, Allowed)]);
    assert_eq!(resolve(&[&user], &circle, false), only(&[7, 8]));
}

#[test]
fn two_rows_about_the_same_thing_are_read_strictly() {
    assert_eq!(resolve(&[&grants(&[(1, Denied), (1, Allowed)], &[])], &groups(), true), except(&[1]));
    assert_eq!(resolve(&[&grants(&[], &[(1, Allowed), (1, Denied)])], &groups(), false), only(&[]));
}

#[test]
fn words_of_the_permission_columns() {
    assert_eq!(Permission::parse("Inherit"), Inherit);
    assert_eq!(Permission::parse("None"), Denied);
    assert_eq!(Permission::parse("View"), Allowed);
    assert_eq!(Permission::parse("Edit"), Allowed);
    assert_eq!(Permission::parse("Create"), Allowed);
    assert_eq!(Permission::parse(""), Denied, "what MySQL stores for a value out of range");
    assert_eq!(Permission::parse("Perhaps"), Denied);
}

#[test]
fn lists_up_to_1_36() {
    let table = [
        (None, MonitorRights::All),
        (Some(""), MonitorRights::All),
        (Some("  "), MonitorRights::All),
        (Some("1"), only(&[1])),
        (Some("1, 3 ,4"), only(&[1, 3, 4])),
        (Some("1,,3,"), only(&[1, 3])),
        (Some("1,Porch"), only(&[1])),
        (Some("Porch"), only(&[])),
    ];
    for (list, expected) in table {
        assert_eq!(from_list(list), expected, "{list:?}");
    }
}
