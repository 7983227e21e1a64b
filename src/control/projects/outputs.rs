//! A project's outputs as rules: one each, of origin `tencent`, in force while the project works.

use std::sync::Arc;

use crate::control::outcome::{
    CreateError, DeleteError, Expected, NewRule, RuleChange, RuleOptions,
};
use crate::control::rules::Rules;
use crate::rule::project::Project;
use crate::rule::{Origin, Rule, StreamPattern};

/// Brings the rules of a project's stream to what the project says; why not, for each output that is not as it should be.
pub(super) async fn align(rules: &Rules, project: &Project) -> Vec<String> {
    let mut missed = Vec::new();
    for rule in of_project(rules, project) {
        let is_wanted = project.outputs.iter().any(|output| output.url == rule.url);
        if !is_wanted && let Err(why) = remove(rules, &rule).await {
            missed.push(why);
        }
    }
    let enabled = project.is_working();
    for output in &project.outputs {
        let standing = of_project(rules, project)
            .into_iter()
            .find(|rule| rule.url == output.url);
        let done = match standing {
            Some(rule) if rule.enabled == enabled => Ok(()),
            Some(rule) => switch(rules, &rule, enabled).await,
            None => {
                let wish = NewRule {
                    app: project.app.clone(),
                    stream: StreamPattern::literal(project.id.stream().clone()),
                    url: output.url.clone(),
                    options: RuleOptions {
                        enabled,
                        ..RuleOptions::default()
                    },
                    origin: Origin::Tencent,
                };
                create(rules, wish).await
            }
        };
        if let Err(why) = done {
            missed.push(format!("output {}: {why}", output.id));
        }
    }
    missed
}

/// The rules that a project has made.
fn of_project(rules: &Rules, project: &Project) -> Vec<Arc<Rule>> {
    let stream = StreamPattern::literal(project.id.stream().clone());
    let mut here = rules.at(&project.app, &stream);
    here.retain(|rule| rule.origin == Origin::Tencent);
    here
}

async fn create(rules: &Rules, wish: NewRule) -> Result<(), String> {
    let enabled = wish.options.enabled;
    match rules.create(wish).await {
        // Somebody else's rule says the same: it has to be as this one would be, to serve as well.
        Ok(created) if created.standing && enabled && !created.rule.enabled => Err(format!(
            "the rule {} has this URL already, and is switched off",
            created.rule.id
        )),
        Ok(_) => Ok(()),
        Err(CreateError::Refused(why)) => Err(why.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// A rule that cannot be switched off, since the store cannot take it, is deleted: that is in force whatever the store says.
async fn switch(rules: &Rules, rule: &Rule, enabled: bool) -> Result<(), String> {
    let change = RuleChange {
        enabled: Some(enabled),
        ..RuleChange::default()
    };
    let changed = rules
        .change(rule.id.clone(), change, Origin::Tencent, Expected::Any)
        .await;
    match changed {
        Ok(_) => Ok(()),
        Err(_) if !enabled => remove(rules, rule).await,
        Err(error) => Err(error.to_string()),
    }
}

pub(super) async fn remove(rules: &Rules, rule: &Rule) -> Result<(), String> {
    match rules.delete(rule.id.clone(), Origin::Tencent).await {
        Ok(_) | Err(DeleteError::NotFound) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
