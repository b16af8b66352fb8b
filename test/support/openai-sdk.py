"""Drives every endpoint of a gateway with a demo account by OpenAI's SDK for Python. Arguments: base URL, key."""

import base64
import json
import sys
import time

from openai import NotFoundError, OpenAI

base_url, key = sys.argv[1:3]
client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
PNG = b"\x89PNG"
WAV = ("a.wav", b"RIFF")


def chats():
    asked = {"model": "demo/chat", "messages": [{"role": "user", "content": "hi"}]}
    assert client.chat.completions.create(**asked).choices[0].message.content
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options=options))
    assert chunks[-1].usage and any(c.choices and c.choices[0].delta.content for c in chunks)
    assert client.completions.create(model="demo/chat", prompt="hi").choices[0].text
    pieces = client.completions.create(model="demo/chat", prompt="hi", stream=True)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices)
    assert client.responses.create(model="demo/chat", input="hi").output_text


def images():
    drawn = client.images.generate(model="demo/image", prompt="x", n=2).data
    png = base64.b64decode(drawn[0].b64_json)
    assert len(drawn) == 2 and png.startswith(PNG)
    events = list(client.images.generate(model="demo/image", prompt="x", stream=True, partial_images=1))
    assert events[-1].type == "image_generation.completed"
    files = [("a.png", png), ("b.png", png * 100)]
    edited = client.images.edit(model="demo/image", prompt="x", image=files, mask=("m.png", png))
    assert base64.b64decode(edited.data[0].b64_json).startswith(PNG)
    events = list(client.images.edit(model="demo/image", prompt="x", image=files[0], stream=True))
    assert events[-1].type == "image_edit.completed"
    assert len(client.images.create_variation(model="demo/image", image=files[0], n=2).data) == 2


def speech():
    asked = {"model": "demo/speech", "voice": "alloy", "input": "SOS"}
    whole = client.audio.speech.create(**asked).read()
    with client.audio.speech.with_streaming_response.create(**asked) as response:
        pieces = b"".join(response.iter_bytes())
    with client.audio.speech.with_streaming_response.create(**asked, stream_format="sse") as response:
        lines = [line[6:] for line in response.iter_lines() if line.startswith("data: {")]
    deltas = b"".join(base64.b64decode(json.loads(line).get("audio", "")) for line in lines)
    assert whole.startswith(b"RIFF") and whole == pieces == deltas
    assert json.loads(lines[-1])["type"] == "speech.audio.done"


def transcripts():
    create = client.audio.transcriptions.create
    assert "25000" in create(model="demo/transcription", file=("a.wav", bytes(25_000_000))).text
    for response_format in ("text", "srt", "vtt"):
        assert "demo" in create(model="demo/transcription", file=WAV, response_format=response_format)
    assert create(model="demo/transcription", file=WAV, response_format="verbose_json").segments
    events = list(create(model="demo/transcription", file=WAV, stream=True))
    assert events[-1].type == "transcript.text.done"
    assert client.audio.translations.create(model="demo/transcription", file=WAV).text


def vectors():
    moderated = client.moderations.create(model="demo/moderation", input=["a", "b"]).results
    assert [each.flagged for each in moderated] == [False, False]
    asked = {"model": "demo/embedding", "input": ["a", "b"], "dimensions": 8}
    # The SDK itself asks for base64.
    short = client.embeddings.create(**asked).data
    numbers = client.embeddings.create(**asked, encoding_format="float").data
    for one, other in zip(short, numbers, strict=True):
        assert all(abs(x - y) < 1e-6 for x, y in zip(one.embedding, other.embedding, strict=True))
    # LangChain's embeddings send tokens.
    assert len(client.embeddings.create(model="demo/embedding", input=[[1, 2], [3]]).data) == 2
    body = {"model": "demo/rerank", "query": "capital", "documents": ["cats", "the capital"]}
    assert client.post("/rerank", cast_to=object, body=body)["results"][0]["index"] == 1
    assert "demo/chat" in [model.id for model in client.models.list()]
    assert client.models.retrieve("demo/chat").id == "demo/chat"


def files_and_batches():
    chat = {"model": "demo/chat", "messages": [{"role": "user", "content": "hi"}]}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": chat}
    data = "".join(json.dumps({"custom_id": str(at), **line}) + "\n" for at in range(100)).encode()
    file = client.files.create(file=("b.jsonl", data), purpose="batch")
    assert client.files.content(file.id).read() == data
    assert client.files.retrieve(file.id).bytes == len(data)
    assert file.id in [each.id for each in client.files.list(purpose="batch")]
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"a": "b"}
    )
    until = time.monotonic() + 60
    while batch.status not in ("completed", "failed", "expired") and time.monotonic() < until:
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed" and batch.request_counts.completed == 100, batch
    lines = client.files.content(batch.output_file_id).text.splitlines()
    assert sorted(int(json.loads(each)["custom_id"]) for each in lines) == list(range(100))
    assert batch.id in [each.id for each in client.batches.list()]
    assert client.files.delete(file.id).deleted
    try:
        client.files.retrieve(file.id)
    except NotFoundError:
        return
    raise AssertionError("a deleted file is still there")


for drive in (chats, images, speech, transcripts, vectors, files_and_batches):
    drive()
    print(drive.__name__, flush=True)
