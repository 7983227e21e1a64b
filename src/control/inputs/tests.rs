use super::*;
use crate::control::SystemClock;
use crate::rule::{Files, Loops, PullUrl, Push, StreamName};
use crate::store::SqliteStore;
use time::OffsetDateTime;

/// Writes down what it is told.
#[derive(Default)]
struct Diary(Mutex<Vec<String>>);

impl Feeding for Diary {
    fn start(&self, input: &Arc<Input>) {
        self.note(format!("start {} {}", input.stream, input.role.as_str()));
    }

    fn stop(&self, stream: &StreamKey, role: Role) {
        self.note(format!("stop {stream} {}", role.as_str()));
    }

    fn prefer(&self, stream: &StreamKey, role: Role) {
        self.note(format!("prefer {stream} {}", role.as_str()));
    }

    fn current(&self, _: &StreamKey) -> Option<Role> {
        None
    }

    fn standing(&self, _: &StreamKey, _: Role) -> Option<Standing> {
        None
    }

    fn notices(&self) -> broadcast::Receiver<InputNotice> {
        broadcast::channel(1).1
    }
}

impl Diary {
    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

struct Scene {
    directory: tempfile::TempDir,
    diary: Arc<Diary>,
}

impl Scene {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            diary: Arc::default(),
        }
    }

    fn open(&self, fixed: Vec<Input>) -> Inputs {
        let store = Arc::new(SqliteStore::open(self.directory.path()).unwrap());
        let judge: HostJudge = Arc::new(|host, _| match host {
            "127.0.0.1" => Err("it is a loopback address".to_owned()),
            _ => Ok(()),
        });
        let clock = Arc::new(SystemClock::new());
        Inputs::open(store, fixed, self.diary.clone(), settings(), judge, clock).unwrap()
    }
}

fn settings() -> InputSettings {
    InputSettings {
        apps: HashSet::from([AppName::live()]),
        file_directories: vec!["/srv/media".into()],
        advertise: Some("rtmp://gateway:1935".to_owned()),
    }
}

fn cam() -> StreamKey {
    StreamKey::parse("live", "cam").unwrap()
}

fn pull(role: Role, origin: Origin, url: &str) -> Input {
    Input {
        stream: cam(),
        role,
        source: Source::Pull(PullUrl::parse(url).unwrap()),
        origin,
    }
}

fn push(name: &str, role: Role) -> Input {
    let expiry = OffsetDateTime::from_unix_timestamp(2_000_000_000).unwrap();
    Input {
        stream: StreamKey::parse("live", name).unwrap(),
        role,
        source: Source::Push(Push::new(
            StreamName::parse("p").unwrap(),
            Secret::new("key"),
            expiry,
        )),
        origin: Origin::Api,
    }
}

#[tokio::test]
async fn what_the_api_puts_runs_and_runs_again_after_a_restart() {
    let scene = Scene::new();
    let main = pull(Role::Main, Origin::Api, "rtmp://h/a/b");
    {
        let inputs = scene.open(Vec::new());
        assert_eq!(inputs.put(main.clone()).await.unwrap(), Put::New);
        assert_eq!(inputs.put(main.clone()).await.unwrap(), Put::Standing);
        assert_eq!(scene.diary.read(), ["start live/cam main"]);
    }
    let inputs = scene.open(Vec::new());
    assert_eq!(scene.diary.read(), ["start live/cam main"]);
    let view = inputs.of(&cam()).unwrap();
    assert_eq!(*view.main.unwrap().input, main);
    let other = pull(Role::Main, Origin::Api, "http://h/x.flv");
    assert_eq!(inputs.put(other).await.unwrap(), Put::Changed);
    inputs
        .remove(&cam(), Role::Main, Origin::Api)
        .await
        .unwrap();
    assert_eq!(
        scene.diary.read(),
        ["start live/cam main", "stop live/cam main"]
    );
    assert!(inputs.of(&cam()).is_none());
    assert!(matches!(
        inputs.remove(&cam(), Role::Main, Origin::Api).await,
        Err(RemoveError::NotFound)
    ));
    drop(inputs);
    assert!(scene.open(Vec::new()).list().is_empty());
}

#[tokio::test]
async fn what_a_project_puts_runs_when_it_is_told_and_is_not_stored() {
    let scene = Scene::new();
    {
        let inputs = scene.open(Vec::new());
        let (stream, by) = (cam(), Origin::Tencent);
        assert_eq!(inputs.start(&stream, by).await, Err(NotRun));
        inputs
            .put(pull(Role::Main, by, "rtmp://h/a/b"))
            .await
            .unwrap();
        assert_eq!(
            inputs.switch(&stream, Role::Main).await,
            Err(SwitchError::NotRunning(Role::Main))
        );
        assert!(scene.diary.read().is_empty());
        inputs.start(&stream, by).await.unwrap();
        inputs
            .put(pull(Role::Backup, by, "rtmp://h/a/c"))
            .await
            .unwrap();
        inputs.start(&stream, by).await.unwrap();
        inputs.switch(&stream, Role::Backup).await.unwrap();
        assert_eq!(inputs.of(&stream).unwrap().preferred, Role::Backup);
        inputs.stop(&stream, by).await.unwrap();
        assert_eq!(
            scene.diary.read(),
            [
                "start live/cam main",
                "start live/cam backup",
                "prefer live/cam backup",
                "stop live/cam main",
                "stop live/cam backup"
            ]
        );
        let view = inputs.of(&stream).unwrap();
        assert_eq!(view.preferred, Role::Main);
        assert!(
            view.iter()
                .all(|input| !input.running && input.standing.state == InputState::Stopped)
        );
    }
    assert!(scene.open(Vec::new()).list().is_empty());
}

#[tokio::test]
async fn nobody_touches_what_is_anothers() {
    let scene = Scene::new();
    let inputs = scene.open(vec![pull(Role::Main, Origin::Config, "rtmp://h/a/b")]);
    for by in [Origin::Api, Origin::Tencent] {
        let put = inputs.put(pull(Role::Main, by, "rtmp://h/a/c")).await;
        assert!(matches!(put, Err(PutError::Owned(Origin::Config))));
        let removed = inputs.remove(&cam(), Role::Main, by).await;
        assert!(matches!(removed, Err(RemoveError::Owned(Origin::Config))));
    }
    inputs
        .put(pull(Role::Backup, Origin::Api, "rtmp://h/a/c"))
        .await
        .unwrap();
    inputs.switch(&cam(), Role::Backup).await.unwrap();
    let removed = inputs.remove(&cam(), Role::Backup, Origin::Tencent).await;
    assert!(matches!(removed, Err(RemoveError::Owned(Origin::Api))));
    inputs
        .remove(&cam(), Role::Backup, Origin::Api)
        .await
        .unwrap();
    assert_eq!(inputs.of(&cam()).unwrap().preferred, Role::Main);
}

#[tokio::test]
async fn a_reload_leaves_alone_what_did_not_change() {
    let scene = Scene::new();
    let same = pull(Role::Main, Origin::Config, "rtmp://h/a/b");
    let other = |name: &str, url: &str| Input {
        stream: StreamKey::parse("live", name).unwrap(),
        ..pull(Role::Main, Origin::Config, url)
    };
    let inputs = scene.open(vec![
        same.clone(),
        other("x", "rtmp://h/a/x"),
        other("y", "rtmp://h/a/y"),
    ]);
    inputs
        .put(pull(Role::Backup, Origin::Api, "rtmp://h/a/api"))
        .await
        .unwrap();
    scene.diary.read();
    let backup = pull(Role::Backup, Origin::Config, "rtmp://h/a/file");
    let fixed = vec![same.clone(), other("x", "rtmp://h/a/x2"), backup];
    inputs.replace_fixed(fixed, settings()).await;
    assert_eq!(
        scene.diary.read(),
        [
            "stop live/y main",
            "start live/cam backup",
            "start live/x main"
        ]
    );
    // The one that was stored is back when the file has none.
    inputs
        .replace_fixed(vec![same, other("x", "rtmp://h/a/x2")], settings())
        .await;
    assert_eq!(scene.diary.read(), ["start live/cam backup"]);
    let view = inputs.of(&cam()).unwrap();
    assert_eq!(view.backup.unwrap().input.origin, Origin::Api);
}

#[tokio::test]
async fn what_may_not_be_fetched_is_refused() {
    let scene = Scene::new();
    let inputs = scene.open(Vec::new());
    let files = |url: &str| Input {
        source: Source::Files(
            Files::new(vec![FileUrl::parse(url).unwrap()], Loops::Never).unwrap(),
        ),
        ..pull(Role::Main, Origin::Api, "rtmp://h/a/b")
    };
    for url in ["rtmp://127.0.0.1/a/b", "http://127.0.0.1/x.flv"] {
        let put = inputs.put(pull(Role::Main, Origin::Api, url)).await;
        assert!(matches!(put, Err(PutError::Refused { .. })), "{url}");
    }
    assert!(matches!(
        inputs.put(files("http://127.0.0.1/x.mp4")).await,
        Err(PutError::Refused { .. })
    ));
    assert!(matches!(
        inputs.put(files("/srv/mediacenter/x.mp4")).await,
        Err(PutError::Directory)
    ));
    assert!(inputs.put(files("/srv/media/a/x.mp4")).await.is_ok());
    let elsewhere = Input {
        stream: StreamKey::parse("other", "cam").unwrap(),
        ..pull(Role::Main, Origin::Api, "rtmp://h/a/b")
    };
    let put = inputs.put(elsewhere).await;
    assert!(matches!(put, Err(PutError::UnknownApp { .. })));
}

#[test]
fn inputs_are_bounded_in_number() {
    let mut book = Book::default();
    let input = |number: usize| Input {
        stream: StreamKey::parse("live", &format!("cam-{number}")).unwrap(),
        ..pull(Role::Main, Origin::Config, "rtmp://h/a/b")
    };
    book.replace_fixed((0..crate::control::limits::MAX_INPUTS).map(input).collect());
    assert!(matches!(book.admit(&input(20_000)), Err(PutError::TooMany)));
    assert!(matches!(book.admit(&input(7)), Ok(Put::Standing)));
}

#[tokio::test]
async fn a_push_name_leads_to_one_input() {
    let scene = Scene::new();
    let inputs = scene.open(Vec::new());
    inputs.put(push("a", Role::Main)).await.unwrap();
    assert_eq!(
        inputs.put(push("a", Role::Main)).await.unwrap(),
        Put::Standing
    );
    for other in [push("a", Role::Backup), push("b", Role::Main)] {
        assert!(matches!(inputs.put(other).await, Err(PutError::NameTaken)));
    }
    let url = inputs.push_url(&push("a", Role::Main)).unwrap();
    assert!(
        url.expose()
            .starts_with("rtmp://gateway:1935/live/p?txSecret=")
    );
}

#[tokio::test]
async fn no_push_url_is_made_by_a_gateway_that_does_not_know_its_own_address() {
    let scene = Scene::new();
    let inputs = scene.open(Vec::new());
    inputs.put(push("a", Role::Main)).await.unwrap();
    let unknown = InputSettings {
        advertise: None,
        ..settings()
    };
    inputs.replace_fixed(Vec::new(), unknown).await;
    assert!(inputs.push_url(&push("a", Role::Main)).is_none());
    let put = inputs.put(push("b", Role::Backup)).await;
    assert!(matches!(put, Err(PutError::NoAddress)));
    // Other inputs need none.
    let pull = pull(Role::Main, Origin::Api, "rtmp://h/a/b");
    inputs.put(pull).await.unwrap();
}
