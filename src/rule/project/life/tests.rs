use super::*;
use crate::rule::{PullUrl, Push};

fn at(hours: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::hours(hours)
}

fn pull() -> ProjectInput {
    ProjectInput::LivePull(PullUrl::parse("http://h/a.flv?k=canary7key").unwrap())
}

fn output(id: Option<&str>, url: &str) -> OutputDraft {
    OutputDraft {
        id: id.map(str::to_owned),
        name: None,
        url: Some(Secret::new(url)),
    }
}

fn project(main: Option<ProjectInput>, outputs: Vec<OutputDraft>) -> Project {
    let draft = ProjectDraft {
        app: AppName::live(),
        platform: "test".to_owned(),
        name: "n".to_owned(),
        owner: "user_1".to_owned(),
        main,
        backup: None,
        outputs,
    };
    Project::new(ProjectId::from_random([7; 12]).unwrap(), 1, draft, at(0)).unwrap()
}

fn whole() -> Project {
    project(Some(pull()), vec![output(None, "rtmp://h/a/canary7key")])
}

#[test]
fn names() {
    let mut project = whole();
    assert_eq!(project.id.as_str(), "cmepid_070707070707070707070707");
    assert_eq!(project.stream().to_string(), format!("live/{}", project.id));
    let name = project.id.publish_name(Role::Backup);
    assert_eq!(name.as_str(), format!("{}-backup", project.id));
    let push = Push::new(name, Secret::new("k"), at(1));
    project
        .add_input(
            Role::Backup,
            ProjectInput::RtmpPush {
                seconds: 3600,
                push,
            },
        )
        .unwrap();
    let url = project.push_url(Role::Backup, "rtmp://h:1935").unwrap();
    let start = format!("rtmp://h:1935/live/{}-backup?txSecret=", project.id);
    assert!(url.expose().starts_with(&start));
    assert!(url.expose().ends_with("&txTime=E10"));
    assert!(project.push_url(Role::Main, "rtmp://h:1935").is_none());
    assert!(ProjectId::parse("").is_none());
    assert!(ProjectId::parse(&"a".repeat(129)).is_none());
    assert!(!format!("{project:?}").contains("canary7key"));
}

#[test]
fn ids_that_are_made_up_are_free() {
    let outputs = vec![
        output(None, "rtmp://h/a/1"),
        output(Some("1"), "rtmp://h/a/2"),
        output(Some(""), "rtmp://h/a/3"),
    ];
    let ids: Vec<String> = project(None, outputs)
        .outputs
        .into_iter()
        .map(|output| output.id)
        .collect();
    assert_eq!(ids, ["2", "1", "3"]);
}

#[test]
fn a_start_needs_an_input_and_an_output_and_happens_once() {
    for (main, outputs, passes) in [
        (None, vec![output(None, "rtmp://h/a/b")], false),
        (Some(pull()), vec![], false),
        (Some(pull()), vec![output(None, "rtmp://h/a/b")], true),
    ] {
        let mut project = project(main, outputs);
        match project.start(at(1)) {
            Ok(()) => assert!(passes),
            Err(error) => assert!(
                !passes && matches!(error, ProjectError::Incomplete(_)),
                "{error}"
            ),
        }
    }
    let mut project = whole();
    project.start(at(1)).unwrap();
    assert_eq!(
        project.life,
        ProjectLife::Working {
            started_at: at(1),
            stop_at: at(1 + 7 * 24),
            wanted: Role::Main
        }
    );
    assert_eq!(project.start(at(2)), Err(IS_WORKING));
    assert!(!project.is_over(at(7 * 24)) && project.is_over(at(1 + 7 * 24)));
    assert!(project.stop(at(3)) && !project.stop(at(4)));
    let stopped_at = Some(at(3));
    assert_eq!(project.life, ProjectLife::Idle { stopped_at });
    assert!(project.start(at(5)).is_ok());
}

#[test]
fn what_works_is_changed_only_where_nothing_on_the_air_changes() {
    let mut project = whole();
    assert_eq!(project.switch_input(Role::Main), Err(IS_IDLE));
    assert_eq!(project.set_stop_time(at(2), at(1)), Err(IS_IDLE));
    project.start(at(0)).unwrap();
    assert_eq!(project.modify_input(Role::Main, pull()), Err(IS_WORKING));
    assert_eq!(project.delete_input(Role::Main), Err(IS_WORKING));
    assert_eq!(
        project.modify_output(output(Some("1"), "rtmp://h/a/c")),
        Err(IS_WORKING)
    );
    assert_eq!(
        project.switch_input(Role::Backup),
        Err(no_input(Role::Backup))
    );
    project.add_input(Role::Backup, pull()).unwrap();
    assert!(project.add_input(Role::Backup, pull()).is_err());
    project.switch_input(Role::Backup).unwrap();
    project.switch_input(Role::Backup).unwrap();
    project.add_output(output(None, "rtmp://h/a/c")).unwrap();
    project.delete_output(Some("1")).unwrap();
    assert!(project.delete_output(Some("1")).is_err());
    assert!(project.delete_output(None).is_err());
}

#[test]
fn what_is_idle_can_be_changed() {
    let mut project = whole();
    project.modify_input(Role::Main, pull()).unwrap();
    project.delete_input(Role::Main).unwrap();
    assert_eq!(project.delete_input(Role::Main), Err(no_input(Role::Main)));
    let change = OutputDraft {
        name: Some("b".to_owned()),
        ..output(Some("1"), "rtmps://h/a/c")
    };
    project.modify_output(change).unwrap();
    let change = OutputChange {
        id: Some("1".to_owned()),
        ..OutputChange::default()
    };
    project.modify_output(change).unwrap();
    let output = project.output("1").unwrap();
    assert_eq!(
        (output.name.as_str(), output.given.expose()),
        ("b", "rtmps://h/a/c")
    );
}

#[test]
fn an_end_is_ahead_and_within_thirty_days() {
    let mut project = whole();
    project.start(at(0)).unwrap();
    for (hours, passes) in [
        (9, false),
        (10, false),
        (11, true),
        (10 + 30 * 24, true),
        (11 + 30 * 24, false),
    ] {
        assert_eq!(
            project.set_stop_time(at(hours), at(10)).is_ok(),
            passes,
            "{hours}"
        );
    }
    assert!(project.is_over(at(10 + 30 * 24)));
}

#[test]
fn outputs_are_rtmp_and_bounded() {
    let mut project = project(None, vec![]);
    for url in [
        "",
        "http://h/a/b",
        "rtmp://h/a",
        "rtmp://h/a/b
",
    ] {
        assert!(
            matches!(
                project.add_output(output(None, url)),
                Err(ProjectError::Output(_))
            ),
            "{url}"
        );
    }
    assert!(project.add_output(OutputDraft::default()).is_err());
    project
        .add_output(output(None, "rtmp://h/a/b?k=a b"))
        .unwrap();
    let first = &project.outputs[0];
    assert_eq!(first.given.expose(), "rtmp://h/a/b?k=a b");
    assert_eq!(first.url.expose(), "rtmp://h/a/b?k=a%20b");
    while project.outputs.len() < OUTPUTS_MAX {
        project.add_output(output(None, "rtmp://h/a/b")).unwrap();
    }
    assert_eq!(
        project.add_output(output(None, "rtmp://h/a/b")),
        Err(ProjectError::TooManyOutputs)
    );
}

#[test]
fn an_owner_and_the_system_may_act() {
    let project = whole();
    for (operator, may) in [("user_1", true), ("cmeid_system", true), ("user_2", false)] {
        assert_eq!(project.may_be_changed_by(operator), may, "{operator}");
    }
}
