import Edge
import Environment
import Lifecycle
import Loop
import RPCHTTP2
import Telemetry

/// The open ports of a process. Runs until cancelled, then drains: no new connections, calls and
/// requests that run are answered, WebSockets are told to come back.
struct Doors: Service {
    let ports: [SharedPort]
    let rpc: RPCServer
    let edge: EdgeServer?
    let loop: EventLoop
    let logger: Logger

    /// How long running work may take after a signal.
    static let grace = Duration.seconds(5)

    func run() async throws {
        while !Task.isCancelled { try? await loop.sleep(for: .seconds(3600)) }
        // A task of its own: the cancelled one could not wait for anything.
        let closing = Task { [self] in
            for port in ports { await port.close() }
            async let edgeIsEmpty: Void? = edge?.drain(grace: Self.grace)
            let report = await rpc.drain(grace: Self.grace)
            _ = await edgeIsEmpty
            return report
        }
        let report = await closing.value
        for call in report.cancelled {
            logger.warning("call cancelled", ["call": .string("\(call)")])
        }
        logger.info(
            "drained",
            [
                "connections": LogValue(report.connections),
                "calls_running": LogValue(report.running.count),
                "calls_cancelled": LogValue(report.cancelled.count),
            ])
    }
}
