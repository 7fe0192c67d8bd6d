# llama.cpp on one thread: PATH TOKENS CONTEXT PROMPT...; prints tokens a second after the prompt
import json, socket, sys, urllib.request
import xllamacpp

path, tokens, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
asked = xllamacpp.CommonParams()
asked.model.path = path
asked.n_ctx = context
asked.n_parallel = 1
asked.cpuparams.n_threads = 1
asked.cpuparams_batch.n_threads = 1
asked.port = port
server = xllamacpp.Server(asked)
body = {"prompt": [int(token) for token in sys.argv[4:]], "n_predict": tokens, "temperature": 0, "top_k": 1,
        "ignore_eos": True, "cache_prompt": False}
request = urllib.request.Request(f"http://127.0.0.1:{port}/completion", json.dumps(body).encode(),
                                 {"content-type": "application/json"})
with urllib.request.urlopen(request, timeout=600) as answer:
    print("\nspeed", json.load(answer)["timings"]["predicted_per_second"], flush=True)
