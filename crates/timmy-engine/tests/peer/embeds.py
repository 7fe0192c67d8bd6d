# llama.cpp on one thread: MODEL, how tokens become a vector, and a list of texts (lists of tokens, or strings) on stdin;
# prints a vector for each, of length one
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
asked.embedding = True
if sys.argv[2] == "mean":
    asked.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
asked.port = port
server = xllamacpp.Server(asked)
for text in json.load(sys.stdin):
    body = {"content": text}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/embedding", json.dumps(body).encode(),
                                     {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        print("\nvector", *json.load(answer)[0]["embedding"][0], flush=True)
