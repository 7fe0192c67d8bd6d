# The official client of OpenAI's API against Timmy's /v1: URL TOKEN MODEL. Prints "well" when all of it holds.
import json, sys
import openai

url, token, model = sys.argv[1:4]
client = openai.OpenAI(base_url=url, api_key=token, max_retries=0, timeout=60)
said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Tell me of the sea."}]

names = [m.id for m in client.models.list().data]
assert names[0] == "auto" and model in names, names
assert client.models.retrieve(model).id == model

raw = client.chat.completions.with_raw_response.create(model=model, messages=said, max_tokens=12, temperature=0)
assert raw.headers["x-timmy-provider"] == model.split("/")[0], raw.headers
whole = raw.parse()
text = whole.choices[0].message.content
assert text and whole.model == model and whole.usage.completion_tokens == 12, whole
assert whole.choices[0].finish_reason == "length", whole

pieces, counted = [], None
for chunk in client.chat.completions.create(model=model, messages=said, max_tokens=12, temperature=0, stream=True,
                                            stream_options={"include_usage": True}):
    counted = chunk.usage or counted
    pieces += [choice.delta.content or "" for choice in chunk.choices]
assert "".join(pieces) == text and counted.completion_tokens == 12, (pieces, text, counted)

schema = {"type": "object", "properties": {"wet": {"type": "boolean"}}, "required": ["wet"],
          "additionalProperties": False}
held = client.chat.completions.create(model=model, messages=said, max_tokens=64, temperature=0, response_format={
    "type": "json_schema", "json_schema": {"name": "sea", "schema": schema, "strict": True}})
assert isinstance(json.loads(held.choices[0].message.content)["wet"], bool), held

tool = {"type": "function", "function": {"name": "look", "description": "Looks", "parameters": {
    "type": "object", "properties": {"far": {"type": "boolean"}}, "required": ["far"], "additionalProperties": False}}}
called = client.chat.completions.create(model=model, messages=said, max_tokens=200, temperature=0, tools=[tool],
                                        tool_choice="required")
call = called.choices[0].message.tool_calls[0]
assert call.function.name == "look" and isinstance(json.loads(call.function.arguments)["far"], bool), called
assert called.choices[0].finish_reason == "tool_calls"
after = said + [called.choices[0].message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "a sail"}]
assert client.chat.completions.create(model=model, messages=after, max_tokens=8, tools=[tool]).choices

assert client.completions.create(model=model, prompt="Once", max_tokens=8, temperature=0).choices[0].text
vectors = client.embeddings.create(model=model, input=["the sea", "a tax form"])
assert len(vectors.data) == 2 and len(vectors.data[0].embedding) == len(vectors.data[1].embedding) > 0


def refused(kind, ask):
    try:
        ask()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


stranger = openai.OpenAI(base_url=url, api_key="wrong", max_retries=0)
refused(openai.AuthenticationError, lambda: stranger.models.list())
refused(openai.NotFoundError, lambda: client.models.retrieve("none/such"))
refused(openai.UnprocessableEntityError, lambda: client.chat.completions.create(model=model, messages=[]))
print("well")
