// Made by `run` from guide-surroundings.swift and the guide.
import Compression
import Environment
import Glibc
import GreeterSchema
import Loop
import Protobuf
import RPC
import RPCHTTP2
import TLS
import Telemetry

// What the blocks of the guide take for granted. They are compiled, never run.
var loop: EventLoop { fatalError("never runs") }
var channel: HTTP2Channel { fatalError("never runs") }
var client: GreeterV1.GreeterClient { fatalError("never runs") }
var context: ServerContext { fatalError("never runs") }
var logger: Logger { fatalError("never runs") }
var metrics: Metrics { fatalError("never runs") }
var router: Router { fatalError("never runs") }
var server: RPCServer { fatalError("never runs") }
