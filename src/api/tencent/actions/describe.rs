//! `DescribeProjects`: which projects, in which order, and how many of them.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Entity, Ground, Output, STREAM_CONNECT, aspect_ratio, category, owner};
use crate::api::tencent::envelope::{Code, Refusal};
use crate::api::tencent::limits::{DEFAULT_PAGE, MAX_PAGE, MAX_PROJECT_IDS};
use crate::api::tencent::view::{self, Surroundings};
use crate::control::{Project, ProjectCaller};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Describe {
    platform: String,
    #[serde(default)]
    project_ids: Vec<String>,
    #[serde(default)]
    aspect_ratio_set: Vec<String>,
    #[serde(default)]
    category_set: Vec<String>,
    #[serde(default)]
    modes: Vec<String>,
    sort: Option<SortBy>,
    owner: Option<Entity>,
    offset: Option<u64>,
    limit: Option<u64>,
    operator: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SortBy {
    field: String,
    order: Option<String>,
}

/// Which of a project's times decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Created,
    Updated,
}

pub(super) fn run(ground: &Ground<'_>, mut wish: Describe) -> Result<Output, Refusal> {
    let platform = std::mem::take(&mut wish.platform);
    let caller = ground.caller(platform, wish.operator.take())?;
    let filter = Filter::read(&mut wish)?;
    let (field, rises) = order(wish.sort.as_ref())?;
    let limit = wish.limit.unwrap_or(DEFAULT_PAGE);
    if limit > MAX_PAGE {
        let why = format!("Limit is more than {MAX_PAGE}");
        return Err(Refusal::new(Code::Limit, why));
    }
    let mut found = filter.apply(&caller, ground.doors.projects.list(&caller))?;
    sort(&mut found, field, rises);
    let total = found.len();
    let offset = usize::try_from(wish.offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let page = found.iter().skip(offset).take(limit as usize);
    let infos: Vec<Value> = page
        .map(|project| {
            let around = Surroundings {
                push_server: ground.push_server,
                current: ground.doors.projects.current_input(project),
            };
            view::project(project, &around)
        })
        .collect();
    Ok(Map::from_iter([
        ("TotalCount".to_owned(), total.into()),
        ("ProjectInfoSet".to_owned(), infos.into()),
    ]))
}

/// What a project has to be.
struct Filter {
    ids: Vec<String>,
    owner: Option<String>,
    /// Whether anything can pass: all projects of this gateway have one category, no aspect ratio and the default mode.
    passes_any: bool,
}

impl Filter {
    fn read(wish: &mut Describe) -> Result<Self, Refusal> {
        if wish.project_ids.len() > MAX_PROJECT_IDS {
            let why = format!("ProjectIds has more than {MAX_PROJECT_IDS} ids");
            return Err(Refusal::new(Code::InvalidParameterValue, why));
        }
        for ratio in &wish.aspect_ratio_set {
            aspect_ratio(Some(ratio), Code::AspectRatioSet)?;
        }
        for name in &wish.category_set {
            category(name, Code::CategorySet)?;
        }
        let takes =
            |set: &[String], ours: &str| set.is_empty() || set.iter().any(|one| one == ours);
        Ok(Self {
            ids: std::mem::take(&mut wish.project_ids),
            owner: wish.owner.take().map(owner).transpose()?,
            passes_any: takes(&wish.aspect_ratio_set, "")
                && takes(&wish.category_set, STREAM_CONNECT)
                && takes(&wish.modes, "Default"),
        })
    }

    /// A user sees its own; to name those of another is refused.
    fn apply(
        &self,
        caller: &ProjectCaller,
        projects: Vec<Arc<Project>>,
    ) -> Result<Vec<Arc<Project>>, Refusal> {
        let (mut found, mut is_denied) = (Vec::new(), false);
        for project in projects {
            let is_named = self.ids.iter().any(|id| id == project.id.as_str());
            let is_owned = self
                .owner
                .as_ref()
                .is_none_or(|owner| *owner == project.owner);
            if !(self.passes_any && is_owned && (is_named || self.ids.is_empty())) {
                continue;
            }
            match project.may_be_changed_by(&caller.operator) {
                true => found.push(project),
                false => is_denied |= is_named || self.owner.is_some(),
            }
        }
        match is_denied {
            true => Err(Refusal::new(
                Code::PermissionDeny,
                "a project belongs to another user than the Operator",
            )),
            false => Ok(found),
        }
    }
}

fn order(sort: Option<&SortBy>) -> Result<(Field, bool), Refusal> {
    let Some(sort) = sort else {
        return Ok((Field::Created, false));
    };
    let field = match sort.field.as_str() {
        "CreateTime" => Field::Created,
        "UpdateTime" => Field::Updated,
        _ => {
            let why = "Sort.Field is neither CreateTime nor UpdateTime";
            return Err(Refusal::new(Code::InvalidParameterValue, why));
        }
    };
    match sort.order.as_deref() {
        None | Some("" | "Desc") => Ok((field, false)),
        Some("Asc") => Ok((field, true)),
        Some(_) => Err(Refusal::new(
            Code::SortOrder,
            "Sort.Order is neither Asc nor Desc",
        )),
    }
}

fn sort(projects: &mut [Arc<Project>], field: Field, rises: bool) {
    let key = |project: &Arc<Project>| {
        let time = match field {
            Field::Created => project.created_at,
            Field::Updated => project.updated_at,
        };
        (time, project.number)
    };
    match rises {
        true => projects.sort_by_key(key),
        false => projects.sort_by_key(|project| Reverse(key(project))),
    }
}
