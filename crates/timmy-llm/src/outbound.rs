//! What may leave: the only form in which a request reaches a wire, made here and nowhere else.
//!
//! A wire format is written from an [`Outbound`], and the socket of a remote provider takes only one that was made
//! for a remote provider. Both are decided by types and one check, not by care.

use timmy_domain::Sensitivity;
use timmy_domain::thought::Place;

use crate::failure::Failure;
use crate::request::{Brief, ChatMessage, ChatRequest, Image, Part, Role, Sampling, ToolCall, ToolSpec};

/// A request that may travel to one kind of place. Nothing outside this file can make one.
#[derive(Clone, Debug, PartialEq)]
pub struct Outbound {
    place: Place,
    messages: Vec<OutMessage>,
    tools: Vec<ToolSpec>,
    max_tokens: u32,
    temperature: Option<f32>,
    model: Option<String>,
    sampling: Sampling,
}

/// One message as it may travel: the labels have done their work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutMessage {
    role: Role,
    text: String,
    tool_calls: Vec<ToolCall>,
    tool_call_id: Option<String>,
    images: Vec<Image>,
}

impl ChatRequest {
    /// The request for a provider on another machine: droppable local-only parts are left out, and messages that
    /// have nothing left with them.
    ///
    /// A message that calls a tool or answers a call cannot lose a part, since calls have no label of their own.
    ///
    /// # Errors
    /// [`Failure::Privacy`] when anything local-only would be left, or when nothing would.
    pub fn for_remote(&self) -> Result<Outbound, Failure> {
        let mut messages = Vec::with_capacity(self.messages.len());
        for message in &self.messages {
            messages.extend(OutMessage::for_remote(message)?);
        }
        if messages.iter().all(|m| m.role == Role::System) {
            return Err(Failure::Privacy { what: "everything that was asked must stay on this machine".to_owned() });
        }
        Ok(self.outbound(Place::Remote, messages))
    }

    /// The same request with nothing in it that must stay here: what [`Self::for_remote`] leaves out is gone, and what
    /// reflex would speak from as well. A cascade hands a provider on another machine this and nothing else.
    ///
    /// # Errors
    /// As [`Self::for_remote`].
    pub fn only_what_may_leave(&self) -> Result<Self, Failure> {
        self.for_remote()?;
        let open = |label: Sensitivity| label == Sensitivity::Open;
        let message = |message: &ChatMessage| {
            let parts: Vec<_> = message.parts.iter().filter(|p| open(p.sensitivity)).cloned().collect();
            let images: Vec<_> = message.images.iter().filter(|i| open(i.sensitivity)).cloned().collect();
            let lost = parts.len() < message.parts.len() || images.len() < message.images.len();
            let empty = images.is_empty() && parts.iter().all(|p| p.text.is_empty());
            (!(lost && empty)).then(|| ChatMessage {
                role: message.role,
                parts,
                tool_calls: message.tool_calls.clone(),
                tool_call_id: message.tool_call_id.clone(),
                images,
            })
        };
        Ok(Self {
            messages: self.messages.iter().filter_map(message).collect(),
            tools: self.tools.clone(),
            class: self.class,
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            model: self.model.clone(),
            sampling: self.sampling.clone(),
            brief: Brief::default(),
        })
    }

    /// The request for a provider on this machine: all of it.
    #[must_use]
    pub fn for_local(&self) -> Outbound {
        self.outbound(Place::Local, self.messages.iter().map(OutMessage::whole).collect())
    }

    /// The request for a provider at `place`.
    ///
    /// # Errors
    /// [`Failure::Privacy`] as [`ChatRequest::for_remote`] gives it.
    pub fn for_place(&self, place: Place) -> Result<Outbound, Failure> {
        if place == Place::Remote { self.for_remote() } else { Ok(self.for_local()) }
    }

    fn outbound(&self, place: Place, messages: Vec<OutMessage>) -> Outbound {
        Outbound {
            place,
            messages,
            tools: self.tools.clone(),
            max_tokens: self.max_tokens.max(1),
            temperature: self.temperature,
            model: self.model.clone(),
            sampling: self.sampling.clone(),
        }
    }
}

/// Texts that may travel to one kind of place to become vectors. Nothing outside this file can make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutTexts {
    place: Place,
    texts: Vec<String>,
}

impl OutTexts {
    /// The texts for a provider at `place`. Each has its own place in the answer, so none can be left out.
    ///
    /// # Errors
    /// [`Failure::Privacy`] when one of them must stay on this machine.
    pub fn for_place(texts: &[Part], place: Place) -> Result<Self, Failure> {
        if place == Place::Remote && texts.iter().any(|t| t.sensitivity > Sensitivity::Open) {
            return Err(Failure::Privacy { what: "a text must stay on this machine".to_owned() });
        }
        Ok(Self { place, texts: texts.iter().map(|t| t.text.clone()).collect() })
    }

    /// Checks that these were made for `place`. The last gate before a socket.
    ///
    /// # Errors
    /// [`Failure::Privacy`] when they were made for this machine and would leave it.
    pub(crate) fn may_go_to(&self, place: Place) -> Result<(), Failure> {
        may_go(self.place, place)
    }

    /// The texts, in order.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

fn may_go(made_for: Place, place: Place) -> Result<(), Failure> {
    if place == Place::Remote && made_for != Place::Remote {
        return Err(Failure::Privacy { what: "the request was made for this machine only".to_owned() });
    }
    Ok(())
}

impl Outbound {
    /// Checks that this was made for `place`. The last gate before a socket.
    ///
    /// # Errors
    /// [`Failure::Privacy`] when it was made for this machine and would leave it.
    pub(crate) fn may_go_to(&self, place: Place) -> Result<(), Failure> {
        may_go(self.place, place)
    }

    /// The messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> &[OutMessage] {
        &self.messages
    }

    /// Tools the model may call.
    #[must_use]
    pub fn tools(&self) -> &[ToolSpec] {
        &self.tools
    }

    /// Tokens the answer may have, at least one.
    #[must_use]
    pub fn max_tokens(&self) -> u32 {
        self.max_tokens
    }

    /// How freely the model chooses its words.
    #[must_use]
    pub fn temperature(&self) -> Option<f32> {
        self.temperature
    }

    /// The model that was wished for.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// How the answer is made, beyond that.
    #[must_use]
    pub fn sampling(&self) -> &Sampling {
        &self.sampling
    }
}

impl OutMessage {
    fn whole(message: &ChatMessage) -> Self {
        Self::with(message, message.parts.iter().map(|p| p.text.as_str()).collect(), message.images.clone())
    }

    fn for_remote(message: &ChatMessage) -> Result<Option<Self>, Failure> {
        let stays = |label: Sensitivity| label > Sensitivity::Open;
        let bound = !message.tool_calls.is_empty() || message.tool_call_id.is_some() || message.role == Role::Tool;
        let texts = message.parts.iter().map(|p| (p.sensitivity, p.droppable));
        let mut all = texts.chain(message.images.iter().map(|i| (i.sensitivity, i.droppable)));
        if all.any(|(label, droppable)| stays(label) && (bound || !droppable)) {
            let what = format!("a {} message holds what must stay on this machine", message.role.name());
            return Err(Failure::Privacy { what });
        }
        let text: String = message.parts.iter().filter(|p| !stays(p.sensitivity)).map(|p| p.text.as_str()).collect();
        let images: Vec<Image> = message.images.iter().filter(|i| !stays(i.sensitivity)).cloned().collect();
        let lost = message.parts.iter().any(|p| stays(p.sensitivity)) || images.len() < message.images.len();
        let lost_all = lost && text.is_empty() && images.is_empty();
        Ok((!lost_all).then(|| Self::with(message, text, images)))
    }

    fn with(message: &ChatMessage, text: String, images: Vec<Image>) -> Self {
        Self {
            role: message.role,
            text,
            tool_calls: message.tool_calls.clone(),
            tool_call_id: message.tool_call_id.clone(),
            images,
        }
    }

    /// Who speaks.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The text that may travel.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tools the model called in this message.
    #[must_use]
    pub fn tool_calls(&self) -> &[ToolCall] {
        &self.tool_calls
    }

    /// The pictures that may travel.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// The call this is the result of.
    #[must_use]
    pub fn tool_call_id(&self) -> Option<&str> {
        self.tool_call_id.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::TaskClass;

    fn request(role: Role, parts: &[(&str, Sensitivity, bool)]) -> ChatRequest {
        let part = |(text, sensitivity, droppable): &(&str, _, _)| Part {
            text: (*text).to_owned(),
            sensitivity: *sensitivity,
            droppable: *droppable,
        };
        let parts = parts.iter().map(part).collect();
        ChatRequest {
            messages: vec![ChatMessage { role, parts, tool_calls: vec![], tool_call_id: None, images: Vec::new() }],
            tools: vec![],
            class: TaskClass::Chat,
            max_tokens: 0,
            temperature: None,
            model: None,
            sampling: Sampling::default(),
            brief: Brief::default(),
        }
    }

    #[test]
    fn what_may_leave_is_decided_part_by_part() {
        use Sensitivity::{LocalOnly, Open};
        type Parts<'a> = &'a [(&'a str, Sensitivity, bool)];
        let rows: &[(Role, Parts<'_>, Option<&str>)] = &[
            (Role::User, &[("a", Open, false), ("b", Open, true)], Some("ab")),
            (Role::User, &[("a", Open, false), ("b", LocalOnly, true)], Some("a")),
            (Role::User, &[("a", Open, false), ("b", LocalOnly, false)], None),
            (Role::User, &[("a", Open, false), ("", LocalOnly, false)], None),
            (Role::User, &[("b", LocalOnly, true)], None),
            (Role::Tool, &[("a", Open, false), ("b", LocalOnly, true)], None),
            (Role::System, &[("a", Open, false)], None),
        ];
        for (role, parts, expected) in rows {
            let request = request(*role, parts);
            let sent = request.for_remote().map(|o| o.messages()[0].text().to_owned()).ok();
            assert_eq!(sent.as_deref(), *expected, "{role:?} {parts:?}");
            let whole: String = parts.iter().map(|(text, ..)| *text).collect();
            assert_eq!(request.for_local().messages()[0].text(), whole);
        }
    }

    #[test]
    fn the_last_gate_before_a_socket_knows_what_was_made_for_it() {
        let open = request(Role::User, &[("a", Sensitivity::Open, false)]);
        assert!(matches!(open.for_local().may_go_to(Place::Remote), Err(Failure::Privacy { .. })));
        assert_eq!(open.for_local().may_go_to(Place::Local), Ok(()));
        assert_eq!(open.for_remote().and_then(|o| o.may_go_to(Place::Remote)), Ok(()));
    }
}
