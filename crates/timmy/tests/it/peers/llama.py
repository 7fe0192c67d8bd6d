# The server of llama.cpp over one model, on one thread: PATH. Says where it listens, and ends with its input.
import socket, sys
import xllamacpp

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
asked = xllamacpp.CommonParams()
asked.model.path = sys.argv[1]
asked.n_ctx = 2048
asked.n_parallel = 1
asked.cpuparams.n_threads = 1
asked.cpuparams_batch.n_threads = 1
asked.port = port
server = xllamacpp.Server(asked)
print("\nlistening", server.listening_address, flush=True)
sys.stdin.read()
