//! The one table of routes: address, who may, and for each verb the handler.

use std::fmt;

use axum::Router;
use axum::routing::{MethodFilter, MethodRouter};

use crate::web::Web;
use crate::{api, assets, errors, live, mcp, metrics, openapi, pages};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Anybody.
    Open,
    /// Whoever is logged in: looking needs the scope `read`, everything else `operate`.
    Owner,
    /// Whoever is logged in; the handler asks for more where what is said changes something.
    Reader,
    /// Whoever may ask the models: looking needs the scope `models` or `read`, asking `models` or `operate`.
    Models,
    /// Whoever has the scope `admin`.
    Admin,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "anybody",
            Self::Owner => "logged in: `read` to look, `operate` to act",
            Self::Reader => "logged in: `read`, and `operate` for what changes something",
            Self::Models => "logged in: `models` or `read` to look, `models` or `operate` to ask",
            Self::Admin => "`admin`",
        })
    }
}

/// One line of the table.
#[derive(Debug)]
pub struct Route {
    /// The address; braces name its parts.
    pub path: &'static str,
    /// The verbs it knows.
    pub verbs: &'static str,
    /// Who may call it.
    pub who: Door,
    /// The handlers of its verbs, as they are written in the table.
    pub handlers: &'static str,
}

macro_rules! table {
    ($( $door:ident $path:literal { $verb:ident $handler:path $(, $more:ident $other:path)* } )*) => {
        /// Every route of the server.
        pub const TABLE: &[Route] = &[
            $( Route {
                path: $path,
                verbs: concat!(stringify!($verb) $(, ", ", stringify!($more))*),
                who: Door::$door,
                handlers: concat!(stringify!($handler) $(, ", ", stringify!($other))*),
            }, )*
        ];

        /// The handlers behind the table. Whoever knocks comes through [`door`](crate::door) first.
        pub fn routed() -> Router<Web> {
            Router::new()
                $( .route(
                    $path,
                    MethodRouter::new().on(MethodFilter::$verb, $handler) $( .on(MethodFilter::$more, $other) )*,
                ) )*
                .fallback(errors::not_found)
                .method_not_allowed_fallback(errors::wrong_method)
        }
    };
}

table! {
    Open "/health" { GET api::status::health }
    Open "/healthz" { GET api::status::alive }
    Open "/readyz" { GET api::status::ready }
    Open "/static/{hash}/{name}" { GET assets::file }
    Open "/favicon.ico" { GET assets::icon }
    Open "/favicon.svg" { GET assets::icon }
    Open "/login" { GET pages::login::login, POST pages::login::enter }
    Owner "/logout" { POST pages::login::leave }

    Owner "/" { GET pages::home::home }
    Owner "/index.md" { GET pages::home::home }
    Owner "/talk.md" { GET pages::talk::talk }
    Owner "/thinking.md" { GET pages::thinking::thinking }
    Owner "/swarm/events.md" { GET pages::events::events }
    Owner "/settings.md" { GET pages::settings::settings }
    Owner "/keys.md" { GET pages::keys::keys }
    Owner "/health/page.md" { GET pages::health::health }
    Owner "/now" { GET pages::home::now_fragment }
    Owner "/now/rail" { GET pages::home::rail_fragment }
    Owner "/pulse" { GET pages::home::pulse_fragment }
    Owner "/look" { POST pages::look::choose }
    Owner "/palette" { GET pages::palette::palette }
    Owner "/palette/find" { GET pages::palette::found }
    Owner "/keys" { GET pages::keys::keys }
    Owner "/mobile" { GET pages::mobile }
    Owner "/talk" { GET pages::talk::talk, POST pages::talk::say }
    Owner "/talk/{id}/stop" { POST pages::talk::stop }
    Owner "/talk/{id}/retry" { POST pages::talk::retry }
    Owner "/talk/{id}/turn" { GET pages::talk::turn }
    Owner "/talk/{id}/stream" { GET pages::talk::follow }
    Owner "/thinking" { GET pages::thinking::thinking }
    Owner "/thinking/rows" { GET pages::thinking::rows }
    Owner "/thinking/status" { GET pages::thinking::status }
    Owner "/thinking/seeds" { GET pages::thinking::seeds }
    Owner "/thinking/inject" { POST pages::steer::inject }
    Owner "/thinking/think" { POST pages::steer::think }
    Owner "/thinking/stop" { POST pages::steer::stop }
    Owner "/thinking/pause" { POST pages::steer::pause }
    Owner "/thinking/resume" { POST pages::steer::resume }
    Owner "/thinking/{id}" { GET pages::thinking::thought }
    Owner "/thinking/{id}/keep" { POST pages::steer::keep }
    Owner "/thinking/{id}/release" { POST pages::steer::release }
    Owner "/thinking/{id}/fewer" { POST pages::steer::fewer }
    Owner "/thinking/{id}/more" { POST pages::steer::unfewer }
    Owner "/watch/add" { POST pages::watch::add }
    Owner "/watch/rows" { GET pages::watch::rows }
    Owner "/watch/{id}/remove" { POST pages::watch::remove }
    Owner "/router/status" { GET pages::router::status }
    Owner "/router/status.md" { GET pages::router::status }
    Owner "/router/status/ladder" { GET pages::router::ladder }
    Owner "/router/status/log" { GET pages::router::log }
    Owner "/router/move" { POST pages::router::act::shift }
    Owner "/router/order" { POST pages::router::act::order }
    Owner "/router/switch" { POST pages::router::act::switch }
    Owner "/router/reset" { POST pages::router::act::reset }
    Owner "/router/unreset" { POST pages::router::act::unreset }
    Owner "/router/local" { POST pages::router::act::local }
    Owner "/router/test" { POST pages::router::act::test }
    Owner "/router/stop" { POST pages::router::act::stop }
    Owner "/tasks" { GET pages::tasks::tasks }
    Owner "/tasks.md" { GET pages::tasks::tasks }
    Owner "/tasks/rows" { GET pages::tasks::rows }
    Owner "/tasks/new" { POST pages::tasks::act::make }
    Owner "/tasks/bulk" { POST pages::tasks::act::bulk }
    Owner "/tasks/undo" { POST pages::undo::undo }
    Owner "/tasks/{id}" { GET pages::tasks::one::task }
    Owner "/tasks/{id}/part" { GET pages::tasks::one::fragment }
    Owner "/tasks/{id}/approve" { POST pages::tasks::act::approve }
    Owner "/tasks/{id}/veto" { POST pages::tasks::act::veto }
    Owner "/tasks/{id}/pause" { POST pages::tasks::act::pause }
    Owner "/tasks/{id}/resume" { POST pages::tasks::act::resume }
    Owner "/tasks/{id}/cancel" { POST pages::tasks::act::cancel }
    Owner "/tasks/{id}/retry" { POST pages::tasks::act::retry }
    Owner "/tasks/{id}/backlog" { POST pages::tasks::act::backlog }
    Owner "/tasks/{id}/unbacklog" { POST pages::tasks::act::unbacklog }
    Owner "/tasks/{id}/complete" { POST pages::tasks::act::complete }
    Owner "/tasks/{id}/modify" { POST pages::tasks::act::modify }
    Owner "/tasks/{id}/move" { POST pages::tasks::act::place }
    Owner "/tasks/{id}/put" { POST pages::tasks::act::put }
    Owner "/tasks/{id}/send-back" { POST pages::tasks::artifacts::send_back }
    Owner "/tasks/{id}/artifacts/{n}/file" { GET pages::tasks::artifacts::file }
    Owner "/tasks/{id}/artifacts/{n}/rate" { POST pages::tasks::artifacts::rate }
    Owner "/models" { GET pages::library::models }
    Owner "/models.md" { GET pages::library::models }
    Owner "/models/parts" { GET pages::library::parts }
    Owner "/models/pull" { POST pages::library::pull }
    Admin "/models/fetch" { POST pages::library::fetch }
    Owner "/models/cancel" { POST pages::library::cancel }
    Owner "/models/use" { POST pages::library::choose }
    Owner "/models/switch" { POST pages::library::switch }
    Owner "/models/remove" { POST pages::library::remove }
    Owner "/models/restore" { POST pages::library::restore }
    Owner "/agents" { GET pages::tasks::agents_page }
    Owner "/agents.md" { GET pages::tasks::agents_page }
    Owner "/approvals" { GET pages::approvals::approvals }
    Owner "/approvals.md" { GET pages::approvals::approvals }
    Owner "/approvals/rows" { GET pages::approvals::rows }
    Owner "/approvals/batch" { POST pages::approvals::batch }
    Owner "/approvals/rules" { POST pages::approvals::make_rule }
    Owner "/approvals/rules/{id}/revoke" { POST pages::approvals::revoke_rule }
    Owner "/approvals/{id}/approve" { POST pages::approvals::approve }
    Owner "/approvals/{id}/reject" { POST pages::approvals::reject }
    Owner "/approvals/{id}/revoke" { POST pages::approvals::revoke }
    Owner "/swarm/events" { GET pages::events::events }
    Owner "/swarm/events/rows" { GET pages::events::rows }
    Owner "/swarm/events/export" { GET pages::events::export::export }
    Owner "/swarm/events/{seq}" { GET pages::events::one::event }
    Owner "/swarm/live" { GET live::upgrade }
    Owner "/metrics" { GET metrics::metrics }
    Owner "/openapi.json" { GET openapi::served }
    Owner "/health/page" { GET pages::health::health }
    Owner "/health/page/parts" { GET pages::health::parts }
    Owner "/health/check" { POST pages::health::check }
    Owner "/settings" { GET pages::settings::settings }
    Owner "/settings/keys" { POST pages::keys::choose }
    Admin "/settings/set" { POST pages::settings::set }
    Admin "/settings/unset" { POST pages::settings::unset }
    Admin "/settings/backups" { GET pages::backups::backups }
    Admin "/settings/backup" { POST pages::backups::make }
    Admin "/settings/tokens" { POST pages::settings::make_token }
    Admin "/settings/tokens/revoke" { POST pages::settings::revoke_token }
    Admin "/settings/sessions/end" { POST pages::sessions::end }
    Admin "/settings/sessions/end-others" { POST pages::sessions::end_others }

    Owner "/api/status" { GET api::status::status }
    Owner "/api/health" { GET api::health::health }
    Owner "/api/chat" { POST api::chat::chat }
    Owner "/api/chat/{id}/stop" { POST api::chat::stop }
    Owner "/api/chat/{id}/retry" { POST api::chat::retry }
    Owner "/api/messages" { GET api::chat::messages }
    Owner "/api/events" { GET api::events::events }
    Owner "/api/events/verify" { GET api::events::verify }
    Owner "/api/events/{seq}" { GET api::events::event }
    Owner "/api/watch" { GET api::watch::folders, POST api::watch::add }
    Owner "/api/watch/{which}" { DELETE api::watch::remove }
    Owner "/api/v1/router/providers" { GET api::router::providers }
    Owner "/api/v1/router/complete" { POST api::router::complete }
    Owner "/api/v1/router/status" { GET api::router::desk::status }
    Owner "/api/v1/router/metrics" { GET api::router::desk::metrics }
    Owner "/api/v1/router/config" { GET api::router::desk::config }
    Owner "/api/v1/router/egress" { GET api::router::desk::egress }
    Owner "/api/v1/router/explain" { GET api::router::explain::explain }
    Owner "/api/v1/router/providers/{name}/test" { POST api::router::explain::test }
    Owner "/api/v1/router/order" { POST api::router::desk::order }
    Owner "/api/v1/router/local-only" { POST api::router::desk::local_only }
    Owner "/api/v1/router/health-check" { POST api::router::desk::health_check }
    Owner "/api/v1/router/providers/{name}/control" { POST api::router::desk::control }
    Models "/v1/models" { GET api::gateway::models }
    Models "/v1/models/{id}" { GET api::gateway::model }
    Models "/v1/chat/completions" { POST api::gateway::chat }
    Models "/v1/completions" { POST api::gateway::complete }
    Models "/v1/embeddings" { POST api::gateway::embed }
    Owner "/thinking/api" { GET api::thinking::thoughts }
    Owner "/thinking/api/inject" { POST api::thinking::inject }
    Owner "/thinking/api/think" { POST api::thinking::think }
    Owner "/thinking/api/stop" { POST api::thinking::stop }
    Owner "/thinking/api/pause" { POST api::thinking::pause }
    Owner "/thinking/api/resume" { POST api::thinking::resume }
    Owner "/thinking/api/{id}" { GET api::thinking::thought }
    Owner "/thinking/api/{id}/chain" { GET api::thinking::chain }
    Owner "/thinking/api/{id}/keep" { POST api::thinking::keep }
    Owner "/thinking/api/{id}/release" { POST api::thinking::release }
    Owner "/thinking/api/{id}/fewer" { POST api::thinking::fewer }
    Owner "/thinking/api/{id}/unfewer" { POST api::thinking::unfewer }
    Owner "/api/settings" { GET api::settings::settings }
    Admin "/api/settings/changes" { POST api::settings::change_all }
    Admin "/api/backups" { GET api::backups::backups, POST api::backups::make }
    Admin "/api/login/code" { POST api::access::code }
    Admin "/api/login/password" { GET api::access::password, PUT api::access::set_password, DELETE api::access::remove_password }
    Admin "/settings/password" { POST pages::password::change }
    Owner "/api/approvals" { GET api::approvals::approvals }
    Owner "/api/approvals/digest" { GET api::approvals::digest }
    Owner "/api/approvals/batch" { POST api::approvals::batch }
    Owner "/api/approvals/{id}" { GET api::approvals::approval }
    Owner "/api/approvals/{id}/approve" { POST api::approvals::approve, PATCH api::approvals::approve }
    Owner "/api/approvals/{id}/reject" { POST api::approvals::reject, PATCH api::approvals::reject }
    Owner "/api/approvals/{id}/revoke" { POST api::approvals::revoke, PATCH api::approvals::revoke }
    Owner "/api/tasks" { GET api::tasks::tasks, POST api::tasks::create }
    Owner "/api/tasks/counts" { GET api::tasks::counts }
    Owner "/api/tasks/backlog" { GET api::tasks::backlog }
    Owner "/api/tasks/bulk" { POST api::tasks::bulk }
    Owner "/api/tasks/{id}" { GET api::tasks::one }
    Owner "/api/tasks/{id}/approve" { POST api::tasks::approve, PATCH api::tasks::approve }
    Owner "/api/tasks/{id}/veto" { POST api::tasks::veto, PATCH api::tasks::veto }
    Owner "/api/tasks/{id}/pause" { POST api::tasks::pause, PATCH api::tasks::pause }
    Owner "/api/tasks/{id}/resume" { POST api::tasks::resume, PATCH api::tasks::resume }
    Owner "/api/tasks/{id}/cancel" { POST api::tasks::cancel, PATCH api::tasks::cancel }
    Owner "/api/tasks/{id}/retry" { POST api::tasks::retry, PATCH api::tasks::retry }
    Owner "/api/tasks/{id}/unbacklog" { POST api::tasks::unbacklog, PATCH api::tasks::unbacklog }
    Owner "/api/tasks/{id}/complete" { POST api::tasks::complete, PATCH api::tasks::complete }
    Owner "/api/tasks/{id}/modify" { POST api::tasks::modify, PATCH api::tasks::modify }
    Owner "/api/tasks/{id}/backlog" { POST api::tasks::lay_aside, PATCH api::tasks::lay_aside }
    Owner "/api/tasks/{id}/move" { POST api::tasks::place, PATCH api::tasks::place }
    Owner "/api/tasks/{id}/send-back" { POST api::artifacts::send_back }
    Owner "/api/tasks/{id}/artifacts" { GET api::artifacts::artifacts }
    Owner "/api/tasks/{id}/artifacts/{n}" { GET api::artifacts::artifact }
    Owner "/api/tasks/{id}/artifacts/{n}/rate" { POST api::artifacts::rate }
    Owner "/api/queue/status" { GET api::tasks::status }
    Owner "/api/queue/position/{id}" { GET api::tasks::position }
    Owner "/api/queue/agent/{name}" { GET api::tasks::agent }
    Owner "/api/v1/models" { GET api::models::models, POST api::models::register }
    Admin "/api/v1/models/import" { POST api::models::import }
    Admin "/api/v1/models/fetch" { POST api::models::fetch }
    Owner "/api/v1/models/catalogue" { GET api::models::catalogue }
    Owner "/api/v1/models/found" { GET api::models::found }
    Owner "/api/v1/models/roles/{role}" { GET api::models::of_role }
    Owner "/api/v1/models/assignments/all" { GET api::models::assignments }
    Owner "/api/v1/models/assignments" { POST api::models::assign }
    Owner "/api/v1/models/assignments/{agent}" { DELETE api::models::unassign }
    Owner "/api/v1/models/pulls" { GET api::models::pulls, POST api::models::pull }
    Owner "/api/v1/models/pulls/{name}" { GET api::models::one_pull, DELETE api::models::cancel }
    Owner "/api/v1/models/{name}" { GET api::models::model, DELETE api::models::remove }
    Owner "/api/v1/models/{name}/active" { PATCH api::models::switch }
    Owner "/api/v1/models/{name}/restore" { POST api::models::restore }
    Owner "/api/rules" { GET api::rules::rules, POST api::rules::create }
    Owner "/api/rules/preview" { POST api::rules::preview }
    Owner "/api/rules/suggestions" { GET api::rules::suggestions }
    Owner "/api/rules/{id}/revoke" { POST api::rules::revoke }
    Owner "/api/policy/explain" { POST api::rules::explain }
    Reader "/mcp" { POST mcp::talk }
    Admin "/api/sessions" { GET api::sessions::sessions, DELETE api::sessions::end_others }
    Admin "/api/sessions/{id}" { DELETE api::sessions::end }
    Admin "/api/tokens" { GET api::access::tokens, POST api::access::create }
    Admin "/api/tokens/{name}" { DELETE api::access::revoke }
}

/// Who may call the route at `path`, as the table names it.
#[must_use]
pub fn door_of(path: &str) -> Door {
    TABLE.iter().find(|route| route.path == path).map_or(Door::Owner, |route| route.who)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_navigation_has_a_route() {
        for page in crate::nav::PAGES {
            let route = TABLE.iter().find(|route| route.path == page.route);
            assert!(route.is_some_and(|r| r.verbs.contains("GET") && r.who == Door::Owner), "{}", page.route);
        }
    }

    #[test]
    fn only_what_must_be_is_open_and_only_keys_need_admin() {
        let of = |door| TABLE.iter().filter(|r| r.who == door).map(|r| r.path).collect::<Vec<_>>();
        let open =
            ["/health", "/healthz", "/readyz", "/static/{hash}/{name}", "/favicon.ico", "/favicon.svg", "/login"];
        assert_eq!(of(Door::Open), open);
        assert_eq!(
            of(Door::Admin),
            [
                "/models/fetch",
                "/settings/set",
                "/settings/unset",
                "/settings/backups",
                "/settings/backup",
                "/settings/tokens",
                "/settings/tokens/revoke",
                "/settings/sessions/end",
                "/settings/sessions/end-others",
                "/api/settings/changes",
                "/api/backups",
                "/api/login/code",
                "/api/login/password",
                "/settings/password",
                "/api/v1/models/import",
                "/api/v1/models/fetch",
                "/api/sessions",
                "/api/sessions/{id}",
                "/api/tokens",
                "/api/tokens/{name}"
            ]
        );
        assert_eq!(door_of("/nowhere"), Door::Owner);
    }

    #[test]
    fn the_router_can_be_made() {
        let _ = routed();
    }
}
