import Domain
import Edge
import Environment
import Identity
import Lifecycle
import Loop
import RPCHTTP2
import Telemetry

/// `janji serve ROLE…`: chosen roles, each on its port, apart from the others.
struct ServeCommand {
    let configuration: Configuration
    let roles: [Role]

    func run() async throws {
        let loop = EventLoop(name: "janji")
        let logger = Logger(label: "janji", level: try configuration.logLevel())
        let host = try Host(
            configuration, loop: loop, logger: logger,
            databaseURL: try database(), brokers: try configuration.required(.kafkaBrokers),
            secret: try configuration.required(.jwtSecret))
        let station = try Station(host, roles: roles)
        let stop = StopSignal(loop: loop)
        if roles.contains(where: { $0.schema != nil }) { try await Migrations.apply(host) }
        let builder = RoleParts(host: host, router: station.router, neighbours: station.neighbours)
        var parts: [Part] = []
        var firstAdmin: (@Sendable () async throws -> Void)?
        for role in roles {
            guard role == .auth else {
                parts += try builder.parts(of: role)
                continue
            }
            let auth = builder.auth()
            parts += auth.parts
            if let password = configuration.text(.adminPassword) {
                let email = try configuration.required(.adminEmail)
                firstAdmin = {
                    try await auth.service.ensureAdmin(
                        email: email, name: "Admin", password: password)
                }
            }
        }
        station.finishRouter()
        let doors = try await doors(station)
        if let edge = doors.edge { parts.append(("edge", edge)) }
        parts.append(("doors", doors))
        try await Runner(station: station, stop: stop).run(parts) { [roles, firstAdmin] in
            try await station.ensureTopics()
            try await firstAdmin?()
            station.markReady()
            logger.info("ready", ["roles": .string(roles.map(\.rawValue).joined(separator: ","))])
        }
    }

    private func database() throws -> String {
        roles.contains { $0.schema != nil }
            ? try configuration.required(.databaseURL)
            : configuration.text(.databaseURL) ?? "postgresql:///unused"
    }

    /// Each role's port, and its metrics on port + 1000 (requirements 1.7).
    private func doors(_ station: Station) async throws -> Doors {
        let host = station.host
        let rpc = station.makeRPCServer()
        let edge = roles.contains(.gateway) ? try station.makeEdge() : nil
        let address = try configuration.required(.host)
        var ports: [SharedPort] = []
        for role in roles {
            let port = try configuration.port(of: role)
            let status = station.statusAccept(role.rawValue)
            let http: SharedPort.Accept =
                if role == .gateway, let edge {
                    { edge.accept($0, initialBytes: $1) }
                } else {
                    status
                }
            ports.append(
                try await SharedPort(
                    host: address, port: port, setting: role.portSetting, loop: host.loop,
                    rpc: rpc, tls: host.encryption.server(role), logger: host.logger, http: http))
            guard let metricsPort = UInt16(exactly: Int(port) + 1000) else { continue }
            ports.append(
                try await SharedPort(
                    host: address, port: metricsPort, setting: role.portSetting,
                    loop: host.loop, rpc: rpc, tls: host.encryption.server(role),
                    logger: host.logger, http: status))
        }
        return Doors(ports: ports, rpc: rpc, edge: edge, loop: host.loop, logger: host.logger)
    }
}
