import Glibc
import Loop
import RPC
import RPCHTTP2
import Telemetry

// Calls bench.Bench for shared/bench: the client side of client_ab.py. Synchronous `main`: valgrind
// cannot run an async one.

let logger = Logger(label: "bench-client")
guard let plan = LoadPlan(CommandLine.arguments) else {
    logger.error(
        """
        usage: bench-client --port N [--host 127.0.0.1] [--mode unary|stream|pingpong] [--payload 32] \
        [--outstanding 100] [--secs 3 | --count N] [--messages 1000]
        """)
    exit(2)
}
let loop = EventLoop(name: "bench")
let channel = try HTTP2Channel(target: "\(plan.host):\(plan.port)", loop: loop)
let load = Load(plan, channel)
loop.execute { load.start() }
while true { pause() }
