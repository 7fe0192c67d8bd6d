# llama.cpp on one thread: MODEL, and a list of prompts (lists of tokens) on stdin; prints 64 likeliest tokens after each
import json, socket, sys, urllib.request
import xllamacpp

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
asked = xllamacpp.CommonParams()
asked.model.path = sys.argv[1]
asked.n_ctx = 512
asked.n_parallel = 1
asked.cpuparams.n_threads = 1
asked.cpuparams_batch.n_threads = 1
asked.port = port
server = xllamacpp.Server(asked)
for prompt in json.load(sys.stdin):
    body = {"prompt": prompt, "n_predict": 64, "temperature": 0, "top_k": 1, "ignore_eos": True, "cache_prompt": False,
            "return_tokens": True}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/completion", json.dumps(body).encode(),
                                     {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        print("\nsaid", *json.load(answer)["tokens"], flush=True)
