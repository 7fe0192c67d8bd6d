//! One call in the making: what it takes, what it gives, and how it refuses.

use std::collections::BTreeMap;

use timmy_core::trust::access::Scope;
use utoipa::ToSchema;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, HttpMethod, Ref, RefOr, Required, Schema};

use crate::routes::Door;

/// Schemas by name, as the calls need them.
pub type Shapes = BTreeMap<String, RefOr<Schema>>;

/// How a call refuses: status, the name of the shared answer, and what it says.
pub const REFUSALS: [(u16, &str, &str); 9] = [
    (401, "Unauthenticated", "Nobody is logged in, or the token is no longer good."),
    (403, "Forbidden", "Another site or another name asks, or the scope is too small."),
    (404, "Unknown", "There is no such thing."),
    (405, "WrongMethod", "The address does not know that verb."),
    (409, "Conflict", "The state forbids it; the answer says why."),
    (413, "TooLarge", "Something is over its bound."),
    (422, "Invalid", "The input does not fit its form; the answer says where."),
    (429, "TooMany", "Too many at once, or too many tries."),
    (503, "Unavailable", "No model, or no disk."),
];

/// Where a list goes on.
#[derive(Clone, Copy)]
pub enum Next {
    /// At a position of the log.
    Position,
    /// At an id.
    Id,
    /// Nowhere: the list is whole.
    Never,
}

/// Media types of answers.
pub const JSON: &str = "application/json";

/// One call in the making.
pub struct Call {
    /// The verb.
    pub verb: &'static str,
    /// The address, as the table of routes writes it.
    pub path: &'static str,
    /// Its name for programs that are made from the document.
    pub id: &'static str,
    summary: &'static str,
    note: &'static str,
    parameters: Vec<Parameter>,
    body: Option<(RefOr<Schema>, bool)>,
    given: BTreeMap<u16, ResponseBuilder>,
    refused: Vec<u16>,
    shapes: Shapes,
}

/// The schema called by its name, which is put into `shapes` with all it is made of.
fn shape<T: ToSchema>(shapes: &mut Shapes) -> RefOr<Schema> {
    let mut parts = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut parts);
    shapes.extend(parts);
    Ref::from_schema_name(T::name()).into()
}

impl Call {
    fn new(verb: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            verb,
            path,
            id,
            summary,
            note: "",
            parameters: Vec::new(),
            body: None,
            given: BTreeMap::new(),
            refused: Vec::new(),
            shapes: Shapes::new(),
        }
    }

    /// A look.
    pub fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("GET", path, id, summary)
    }

    /// An act.
    pub fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("POST", path, id, summary)
    }

    /// Puts something in its place.
    pub fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("PUT", path, id, summary)
    }

    /// Changes what is at `path`.
    pub fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("PATCH", path, id, summary)
    }

    /// Takes something away.
    pub fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new("DELETE", path, id, summary)
    }

    /// More about it than fits into its summary.
    pub fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    /// The part `name` of the address.
    pub fn named(mut self, name: &'static str, what: &'static str, schema: impl Into<RefOr<Schema>>) -> Self {
        self.refused.push(404);
        self.parameters.push(parameter(name, ParameterIn::Path, what, schema.into()));
        self
    }

    /// The field `name` of the query.
    pub fn asks(mut self, name: &'static str, what: &'static str, schema: ObjectBuilder) -> Self {
        self.parameters.push(parameter(name, ParameterIn::Query, what, Object::from(schema).into()));
        self
    }

    /// A body of the shape `T`.
    pub fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some((shape::<T>(&mut self.shapes), true));
        self
    }

    /// A body of the shape `T`, which may be left out.
    pub fn may_take<T: ToSchema>(mut self) -> Self {
        self.body = Some((shape::<T>(&mut self.shapes), false));
        self
    }

    /// An answer of the shape `T`.
    pub fn gives<T: ToSchema>(mut self, status: u16, what: &'static str) -> Self {
        let schema = shape::<T>(&mut self.shapes);
        self.answer(status, what, JSON, schema)
    }

    /// A list of things of the shape `T`.
    pub fn lists<T: ToSchema>(mut self, what: &'static str, next: Next) -> Self {
        let items = ArrayBuilder::new().items(shape::<T>(&mut self.shapes)).description(Some(what));
        let cursor = match next {
            Next::Position => (vec![Type::Integer, Type::Null], "Where the list goes on; `null` at its end."),
            Next::Id => (vec![Type::String, Type::Null], "Where the list goes on; `null` at its end."),
            Next::Never => (vec![Type::Null], "Always `null`: the list is whole."),
        };
        let next = ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::SchemaType::from_iter(cursor.0))
            .description(Some(cursor.1));
        let list = ObjectBuilder::new().schema_type(Type::Object).property("items", items).property("next", next);
        let list = Object::from(list.required("items").required("next"));
        self.answer(200, what, JSON, list.into())
    }

    /// An answer that is text of the type `media`.
    pub fn gives_text(self, what: &'static str, media: &'static str) -> Self {
        self.answer(200, what, media, Object::from(ObjectBuilder::new().schema_type(Type::String)).into())
    }

    /// The same answer as a stream of the type `media`.
    pub fn streams(mut self, media: &'static str) -> Self {
        let known = self.given.remove(&200).unwrap_or_default();
        self.given.insert(200, known.content(media, ContentBuilder::new().build()));
        self
    }

    /// The call `to` goes on where this one answered `status`: what stands at `from` is its parameter `name`.
    pub fn leads(mut self, status: u16, to: &'static str, name: &'static str, from: &'static str) -> Self {
        let link = Link::builder().operation_id(to).parameter(name, from).build();
        let known = self.given.remove(&status).unwrap_or_default();
        self.given.insert(status, known.link(to, link));
        self
    }

    /// An answer without a body.
    pub fn gives_nothing(mut self, status: u16, what: &'static str) -> Self {
        self.given.insert(status, ResponseBuilder::new().description(what));
        self
    }

    fn answer(mut self, status: u16, what: &'static str, media: &'static str, schema: RefOr<Schema>) -> Self {
        let known = self.given.remove(&status).unwrap_or_default();
        let content = ContentBuilder::new().schema(Some(schema)).build();
        self.given.insert(status, known.description(what).content(media, content));
        self
    }

    /// Refuses with `status`, beside what every call of its kind does.
    pub fn refuses(mut self, status: u16) -> Self {
        self.refused.push(status);
        self
    }

    /// The call as the document has it, at a door for `door`; its shapes go into `shapes`.
    pub fn build(mut self, door: Door, shapes: &mut Shapes) -> (HttpMethod, OperationBuilder) {
        shapes.append(&mut self.shapes);
        let acts = self.verb != "GET";
        let scope = match (door, acts) {
            (Door::Open, _) => None,
            (Door::Owner | Door::Models, false) | (Door::Reader, _) => Some(Scope::Read),
            (Door::Models, true) => Some(Scope::Models),
            (Door::Owner, true) => Some(Scope::Operate),
            (Door::Admin, _) => Some(Scope::Admin),
        };
        let needs = scope
            .map_or_else(|| "Open for everybody.".to_owned(), |scope| format!("Needs the scope `{}`.", scope.name()));
        let mut operation = OperationBuilder::new()
            .tag(tag(self.path))
            .operation_id(Some(self.id))
            .summary(Some(self.summary))
            .description(Some(format!("{} {needs}", self.note).trim().to_owned()));
        for parameter in self.parameters {
            operation = operation.parameter(parameter);
        }
        if let Some((schema, required)) = self.body {
            let body = RequestBodyBuilder::new()
                .required(Some(if required { Required::True } else { Required::False }))
                .content(JSON, ContentBuilder::new().schema(Some(schema)).build());
            operation = operation.request_body(Some(body.build()));
        }
        for (status, response) in self.given {
            operation = operation.response(status.to_string(), Response::from(response));
        }
        self.refused.extend([403, 413, 422]);
        if let Some(scope) = scope {
            self.refused.extend([401, 503]);
            operation = operation
                .securities(Some(["token", "session"].map(|key| SecurityRequirement::new(key, [scope.name()]))));
        } else {
            operation = operation.securities(Some([]));
        }
        for (status, name, _) in REFUSALS.iter().filter(|(status, ..)| self.refused.contains(status)) {
            operation = operation.response(status.to_string(), RefOr::<Response>::Ref(Ref::from_response_name(*name)));
        }
        (method(self.verb), operation)
    }
}

fn method(verb: &str) -> HttpMethod {
    match verb {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// The group a call belongs to, by its address.
fn tag(path: &str) -> &'static str {
    /// Beginnings of addresses, the longer ones first.
    const TAGS: [(&str, &str); 17] = [
        ("/thinking/", "Thinking"),
        ("/api/chat", "Conversation"),
        ("/api/messages", "Conversation"),
        ("/api/v1/router", "Models"),
        ("/api/v1/models", "Models"),
        ("/v1/", "Models"),
        ("/api/events", "Events"),
        ("/swarm/", "Events"),
        ("/api/watch", "Watched folders"),
        ("/api/login", "Keys"),
        ("/api/tokens", "Keys"),
        ("/api/sessions", "Keys"),
        ("/api/tasks", "Tasks"),
        ("/api/queue", "Tasks"),
        ("/api/approvals", "Approvals"),
        ("/api/rules", "Approvals"),
        ("/api/policy", "Approvals"),
    ];
    TAGS.iter().find(|(beginning, _)| path.starts_with(beginning)).map_or("House", |(_, tag)| tag)
}

fn parameter(name: &str, place: ParameterIn, what: &str, schema: RefOr<Schema>) -> Parameter {
    let required = if matches!(place, ParameterIn::Path) { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .description(Some(what))
        .required(required)
        .schema(Some(schema))
        .build()
}
