//! Projects in the store: one row each, with all that a project is in one document.

use rusqlite::Row;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{SqliteStore, StoreError};
use crate::rule::project::{Output, Project, ProjectId, ProjectInput, ProjectLife};
use crate::rule::{AppName, FileUrl, Files, Loops, PullUrl, Push, Role, StreamName};
use crate::secret::Secret;

/// A durable set of projects.
pub trait ProjectStore: Send + Sync {
    /// All projects.
    ///
    /// # Errors
    /// The store cannot be read, or holds something that is no project: then it yields none at all rather than some.
    fn load_projects(&self) -> Result<Vec<Project>, StoreError>;

    /// Puts a project in the place of the one with its id, or beside the others.
    ///
    /// # Errors
    /// What was there stands as it was.
    fn put_project(&self, project: &Project) -> Result<(), StoreError>;

    /// Removes a project; `false` where there is none.
    ///
    /// # Errors
    /// It is still stored, and will be there after a restart.
    fn delete_project(&self, id: &ProjectId) -> Result<bool, StoreError>;
}

impl ProjectStore for SqliteStore {
    fn load_projects(&self) -> Result<Vec<Project>, StoreError> {
        self.load_all(
            "SELECT id, app, document FROM projects ORDER BY id",
            Stored::read,
            |stored| format!("project {:?}", stored.id),
            Stored::into_project,
        )
    }

    fn put_project(&self, project: &Project) -> Result<(), StoreError> {
        self.with(|connection| {
            let document = serde_json::to_string(&Document::of(project))
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO projects (id, app, document) VALUES (?1, ?2, ?3)",
            )?;
            statement.execute((project.id.as_str(), project.app.as_str(), document))
        })
        .map(|_| ())
    }

    fn delete_project(&self, id: &ProjectId) -> Result<bool, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached("DELETE FROM projects WHERE id = ?1")?;
            Ok(statement.execute([id.as_str()])? > 0)
        })
    }
}

/// A row, read and not yet believed.
struct Stored {
    id: String,
    app: String,
    document: String,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            app: row.get("app")?,
            document: row.get("document")?,
        })
    }

    fn into_project(self) -> Result<Project, String> {
        // serde_json's sentences quote what they found, which may be a key.
        let document: Document = serde_json::from_str(&self.document).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            format!("its document cannot be read (line {line}, column {column})")
        })?;
        let outputs = document
            .outputs
            .into_iter()
            .map(OutputDocument::into_output);
        Ok(Project {
            id: ProjectId::parse(&self.id).ok_or("its id is too long")?,
            app: AppName::parse(&self.app).map_err(|error| error.to_string())?,
            platform: document.platform,
            name: document.name,
            owner: document.owner,
            created_at: document.created_at,
            updated_at: document.updated_at,
            number: document.number,
            life: document.life.into(),
            main: document.main.map(InputDocument::into_input).transpose()?,
            backup: document.backup.map(InputDocument::into_input).transpose()?,
            outputs: outputs.collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    platform: String,
    name: String,
    owner: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    number: u64,
    life: LifeDocument,
    main: Option<InputDocument>,
    backup: Option<InputDocument>,
    outputs: Vec<OutputDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum LifeDocument {
    Idle {
        #[serde(with = "time::serde::rfc3339::option")]
        stopped_at: Option<OffsetDateTime>,
    },
    Working {
        #[serde(with = "time::serde::rfc3339")]
        started_at: OffsetDateTime,
        #[serde(with = "time::serde::rfc3339")]
        stop_at: OffsetDateTime,
        wants_backup: bool,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum InputDocument {
    LivePull {
        url: String,
    },
    VodPull {
        urls: Vec<String>,
        loops: i64,
    },
    RtmpPush {
        seconds: u64,
        name: String,
        key: String,
        #[serde(with = "time::serde::rfc3339")]
        expires_at: OffsetDateTime,
    },
}

#[derive(Serialize, Deserialize)]
struct OutputDocument {
    id: String,
    name: String,
    url: String,
}

impl Document {
    fn of(project: &Project) -> Self {
        let outputs = project.outputs.iter().map(|output| OutputDocument {
            id: output.id.clone(),
            name: output.name.clone(),
            url: output.given.expose().to_owned(),
        });
        Self {
            platform: project.platform.clone(),
            name: project.name.clone(),
            owner: project.owner.clone(),
            created_at: project.created_at,
            updated_at: project.updated_at,
            number: project.number,
            life: project.life.into(),
            main: project.main.as_ref().map(InputDocument::of),
            backup: project.backup.as_ref().map(InputDocument::of),
            outputs: outputs.collect(),
        }
    }
}

impl InputDocument {
    fn of(input: &ProjectInput) -> Self {
        match input {
            ProjectInput::LivePull(url) => Self::LivePull {
                url: url.expose().to_owned(),
            },
            ProjectInput::VodPull(files) => Self::VodPull {
                urls: (files.urls().iter())
                    .map(|url| url.expose().to_owned())
                    .collect(),
                loops: files.loops().as_number(),
            },
            ProjectInput::RtmpPush { seconds, push } => Self::RtmpPush {
                seconds: *seconds,
                name: push.name().as_str().to_owned(),
                key: push.key().expose().to_owned(),
                expires_at: push.expires_at(),
            },
        }
    }
}

impl InputDocument {
    fn into_input(self) -> Result<ProjectInput, String> {
        match self {
            Self::LivePull { url } => {
                let url = PullUrl::parse(&url).map_err(|error| error.to_string())?;
                Ok(ProjectInput::LivePull(url))
            }
            Self::VodPull { urls, loops } => {
                let urls: Result<Vec<_>, _> = urls.iter().map(|url| FileUrl::parse(url)).collect();
                let urls = urls.map_err(|error| error.to_string())?;
                let loops = Loops::from_number(loops).map_err(|error| error.to_string())?;
                let files = Files::new(urls, loops).map_err(|error| error.to_string())?;
                Ok(ProjectInput::VodPull(files))
            }
            Self::RtmpPush {
                seconds,
                name,
                key,
                expires_at,
            } => {
                let name = StreamName::parse(&name).map_err(|error| error.to_string())?;
                let push = Push::new(name, Secret::new(key), expires_at);
                Ok(ProjectInput::RtmpPush { seconds, push })
            }
        }
    }
}

impl From<ProjectLife> for LifeDocument {
    fn from(life: ProjectLife) -> Self {
        match life {
            ProjectLife::Idle { stopped_at } => Self::Idle { stopped_at },
            ProjectLife::Working {
                started_at,
                stop_at,
                wanted,
            } => Self::Working {
                started_at,
                stop_at,
                wants_backup: wanted == Role::Backup,
            },
        }
    }
}

impl From<LifeDocument> for ProjectLife {
    fn from(document: LifeDocument) -> Self {
        match document {
            LifeDocument::Idle { stopped_at } => Self::Idle { stopped_at },
            LifeDocument::Working {
                started_at,
                stop_at,
                wants_backup,
            } => Self::Working {
                started_at,
                stop_at,
                wanted: match wants_backup {
                    true => Role::Backup,
                    false => Role::Main,
                },
            },
        }
    }
}

impl OutputDocument {
    fn into_output(self) -> Result<Output, String> {
        Output::stored(self.id, self.name, Secret::new(self.url)).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::project::{OutputDraft, ProjectDraft};

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(seconds)
    }

    fn project(number: u8, main: Option<ProjectInput>, backup: Option<ProjectInput>) -> Project {
        let draft = ProjectDraft {
            app: AppName::live(),
            platform: "test".to_owned(),
            name: "直播".to_owned(),
            owner: "user_1".to_owned(),
            main,
            backup,
            outputs: vec![OutputDraft {
                id: None,
                name: Some("推流1".to_owned()),
                url: Some(Secret::new("rtmp://h/a/b?k=a b")),
            }],
        };
        let id = ProjectId::from_random([number; 12]).unwrap();
        Project::new(id, number.into(), draft, at(0)).unwrap()
    }

    #[test]
    fn projects_of_every_kind_come_back_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let pull = ProjectInput::LivePull(PullUrl::parse("http://h/a.flv?k=1").unwrap());
        let urls = ["http://h/a.mp4", "http://h/b.flv"].map(|url| FileUrl::parse(url).unwrap());
        let files = ProjectInput::VodPull(Files::new(urls.into(), Loops::Forever).unwrap());
        let name = StreamName::parse("n-main").unwrap();
        let push = ProjectInput::RtmpPush {
            seconds: 3600,
            push: Push::new(name, Secret::new("key"), at(3600)),
        };
        let mut working = project(1, Some(pull), Some(files));
        working.start(at(1)).unwrap();
        working.switch_input(Role::Backup).unwrap();
        let mut stopped = project(2, Some(push), None);
        stopped.start(at(2)).unwrap();
        stopped.stop(at(3));
        let wanted = vec![working, stopped, project(3, None, None)];
        {
            let store = SqliteStore::open(directory.path()).unwrap();
            store.put_project(&project(2, None, None)).unwrap();
            for project in &wanted {
                store.put_project(project).unwrap();
            }
        }
        let store = SqliteStore::open(directory.path()).unwrap();
        assert_eq!(store.load_projects().unwrap(), wanted);
        assert!(store.delete_project(&wanted[1].id).unwrap());
        assert!(!store.delete_project(&wanted[1].id).unwrap());
        assert_eq!(store.load_projects().unwrap().len(), 2);
    }

    #[test]
    fn a_document_that_is_none_is_told_without_its_text() {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path()).unwrap();
        let project = project(1, None, None);
        store.put_project(&project).unwrap();
        store
            .with(|connection| {
                connection
                    .execute_batch("UPDATE projects SET document = '{\"name\":\"canary7key\"}'")
            })
            .unwrap();
        let error = store.load_projects().unwrap_err().to_string();
        assert!(error.contains(project.id.as_str()), "{error}");
        assert!(!error.contains("canary7key"), "{error}");
    }
}
