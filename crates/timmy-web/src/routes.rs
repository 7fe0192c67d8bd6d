//! The one table of routes: address, who may, and for each verb the handler.

use std::fmt;

use axum::Router;
use axum::routing::{MethodFilter, MethodRouter};

use crate::web::Web;
use crate::{api, assets, errors, live, pages};

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Anybody.
    Open,
    /// Whoever is logged in: looking needs the scope `read`, everything else `operate`.
    Owner,
    /// Whoever has the scope `admin`.
    Admin,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "anybody",
            Self::Owner => "logged in: `read` to look, `operate` to act",
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
}

macro_rules! table {
    ($( $door:ident $path:literal { $verb:ident $handler:path $(, $more:ident $other:path)* } )*) => {
        /// Every route of the server.
        pub const TABLE: &[Route] = &[
            $( Route { path: $path, verbs: concat!(stringify!($verb) $(, ", ", stringify!($more))*), who: Door::$door }, )*
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
    Owner "/now" { GET pages::home::now_fragment }
    Owner "/now/rail" { GET pages::home::rail_fragment }
    Owner "/pulse" { GET pages::home::pulse_fragment }
    Owner "/look" { POST pages::look::choose }
    Owner "/mobile" { GET pages::mobile }
    Owner "/talk" { GET pages::talk::talk, POST pages::talk::say }
    Owner "/talk/{id}/stop" { POST pages::talk::stop }
    Owner "/talk/{id}/retry" { POST pages::talk::retry }
    Owner "/talk/{id}/turn" { GET pages::talk::turn }
    Owner "/talk/{id}/stream" { GET pages::talk::follow }
    Owner "/thinking" { GET pages::thinking::thinking }
    Owner "/thinking/rows" { GET pages::thinking::rows }
    Owner "/thinking/status" { GET pages::thinking::status }
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
    Owner "/swarm/events" { GET pages::events::events }
    Owner "/swarm/events/rows" { GET pages::events::rows }
    Owner "/swarm/events/{seq}" { GET pages::events::event }
    Owner "/swarm/live" { GET live::upgrade }
    Owner "/health/page" { GET pages::health::health }
    Owner "/health/page/parts" { GET pages::health::parts }
    Owner "/health/check" { POST pages::health::check }

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
    Admin "/api/login/code" { POST api::access::code }
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
        assert_eq!(of(Door::Admin), ["/api/login/code", "/api/tokens", "/api/tokens/{name}"]);
        assert_eq!(door_of("/nowhere"), Door::Owner);
    }

    #[test]
    fn the_router_can_be_made() {
        let _ = routed();
    }
}
