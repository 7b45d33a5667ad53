import Environment
import Kafka
import Lifecycle
import Loop
import Telemetry

/// Runs a station's parts until a signal comes or one of them fails.
struct Runner {
    let station: Station
    let stop: StopSignal

    /// - Parameter ready: called when everything has started.
    /// - Throws: the failure that ended it.
    func run(_ parts: [Part], ready: @escaping @Sendable () async throws -> Void) async throws {
        let host = station.host
        let group = ServiceGroup(parts, loop: host.loop, logger: host.logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask(executorPreference: host.loop) { try await group.run() }
            tasks.addTask(executorPreference: host.loop) { [stop] in
                try await ready()
                await stop.wait()
            }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
        station.neighbours.close()
        await host.producer.close()
    }
}
