//! Which role may use which route. A route that isn't here is the admins' alone.

use crate::domain::role::Role;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// Everybody, without a key.
    Open,
    /// Holders of a key with one of these roles.
    Roles(&'static [Role]),
}

/// Whether the route of this template needs no key.
pub(in crate::http) fn is_open(route: &str) -> bool {
    Rights::of(Some(route)) == Rights::Open
}

const SENDERS: &[Role] = &[Role::Client, Role::Flagger, Role::Admin];
const REVIEWERS: &[Role] = &[Role::Reviewer, Role::Admin];
// Reviewers read flags; none of them comes without a key that may flag.
const FLAGGERS: &[Role] = &[Role::Flagger, Role::Reviewer, Role::Admin];
const ADMINS: &[Role] = &[Role::Admin];

impl Rights {
    /// Of the template of a route; `None` for a path that no route has, which any key's holder may
    /// be told.
    pub(super) fn of(route: Option<&str>) -> Self {
        match route {
            Some("/healthz" | "/readyz") => Self::Open,
            Some(
                "/v1/score"
                | "/v1/jobs"
                | "/v1/jobs/{id}"
                | "/v1/jobs/{id}/events"
                | "/v1/jobs/{id}/deliveries"
                | "/v1/batches"
                | "/v1/batches/{id}"
                | "/v1/batches/{id}/results",
            ) => Self::Roles(SENDERS),
            Some("/v1/flags" | "/v1/flags/{id}" | "/v1/flags/figures") => Self::Roles(FLAGGERS),
            Some(
                "/v1/models"
                | "/v1/policies"
                | "/v1/reports/{id}"
                | "/v1/reports/{id}/appeal"
                | "/openapi.json",
            )
            | None => Self::Roles(&Role::ALL),
            Some(
                "/v1/reports/{id}/decision"
                | "/v1/reports/{id}/decisions"
                | "/v1/transparency"
                | "/v1/transparency/statements"
                | "/v1/policies/{name}/simulate",
            ) => Self::Roles(REVIEWERS),
            Some(_) => Self::Roles(ADMINS),
        }
    }

    pub(super) fn include(self, role: Role) -> bool {
        match self {
            Self::Open => true,
            Self::Roles(roles) => roles.contains(&role),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_the_admins() {
        for route in ["/metrics", "/v1/score/", "/healthz/", "/new", ""] {
            for role in Role::ALL {
                let may = Rights::of(Some(route)).include(role);
                assert_eq!(may, role == Role::Admin, "{route}");
            }
        }
        assert!(!Rights::of(Some("/v1/score")).include(Role::Reviewer));
        assert!(Rights::of(Some("/v1/models")).include(Role::Reviewer));
        assert_ne!(Rights::of(None), Rights::Open);
    }
}
