import Crypto
import Environment
import Glibc
import Loop
import Telemetry

/// A PostgreSQL cluster of our own under the data folder, for one machine. PostgreSQL refuses to
/// run as root: then it runs as the user `postgres`.
///
/// It outlives a killed Janji and is taken over by the next start; ``stop()`` ends it.
struct PrivatePostgres: Sendable {
    private let programs: String
    private let cluster: String
    private let sockets: String
    private let log: String
    private let user: (uid: UInt32, gid: UInt32)?
    private let loop: EventLoop
    private let logger: Logger

    static let database = "janji"
    static let superuser = "janji"

    /// libpq URI by UNIX socket; the socket's folder is for its owner (and root) only.
    var url: String {
        "postgresql:///\(Self.database)?host=\(sockets)&user=\(Self.superuser)"
    }

    /// Initialises the cluster if needed, starts it and waits until it answers.
    static func start(
        in data: DataFolder, loop: EventLoop, logger: Logger
    ) async throws -> PrivatePostgres {
        let postgres = try PrivatePostgres(data: data, loop: loop, logger: logger)
        try await postgres.prepare()
        return postgres
    }

    private init(data: DataFolder, loop: EventLoop, logger: Logger) throws {
        self.loop = loop
        self.logger = logger
        programs = try Self.findPrograms()
        let isRoot = geteuid() == 0
        var base = data.path
        if isRoot {
            guard let entry = getpwnam("postgres") else {
                throw ConfigurationError(
                    "PostgreSQL cannot run as root and there is no user postgres; "
                        + "install postgresql-15 or start Janji as another user")
            }
            user = (entry.pointee.pw_uid, entry.pointee.pw_gid)
            if !Self.isOpenToOthers(base) {
                base = "/var/lib/janji/\(Self.mark(base))"
                logger.warning(
                    "the user postgres cannot enter the data folder; the database goes elsewhere",
                    ["data": .string(data.path), "database": .string(base)])
                try DataFolder.makeFolder(base)
            }
        } else {
            user = nil
        }
        cluster = "\(base)/postgres"
        log = "\(base)/postgres.log"
        sockets = "/tmp/janji-\(Self.mark(cluster))"
    }

    /// A short name for a path: socket paths are limited to 107 bytes.
    private static func mark(_ path: String) -> String {
        String(Hex.encode(SHA256.hash(Array(path.utf8))).prefix(12))
    }

    private static func findPrograms() throws -> String {
        for version in [17, 16, 15] {
            let folder = "/usr/lib/postgresql/\(version)/bin"
            if access("\(folder)/initdb", X_OK) == 0 { return folder }
        }
        throw ConfigurationError(
            "PostgreSQL 15 or later is not installed: apt-get install postgresql-15, "
                + "or name one by DATABASE_URL")
    }

    /// Whether every folder of the path may be entered by other users.
    private static func isOpenToOthers(_ path: String) -> Bool {
        var built = ""
        for part in path.split(separator: "/") {
            built += "/\(part)"
            var information = stat()
            guard stat(built, &information) == 0, information.st_mode & 0o001 != 0 else {
                return false
            }
        }
        return true
    }

    // MARK: Life

    private func prepare() async throws {
        try makeOwnFolder(sockets)
        if access("\(cluster)/PG_VERSION", F_OK) != 0 {
            logger.info("initialising the database cluster", ["folder": .string(cluster)])
            try makeOwnFolder(cluster)
            try await run(
                "initdb",
                [
                    "-D", cluster, "-U", Self.superuser, "-A", "trust", "-E", "UTF8",
                    "--locale=C.UTF-8", "--no-instructions",
                ])
        }
        try openLog()
        if try await status("pg_ctl", ["status", "-D", cluster]) != 0 {
            try await run(
                "pg_ctl",
                [
                    "start", "-w", "-t", "60", "-D", cluster, "-l", log, "-s", "-o",
                    "-k \(sockets) -c listen_addresses='' -c max_connections=100",
                ])
        }
        // Fails when the database is there, which the next line would show otherwise.
        _ = try await status("createdb", ["-h", sockets, "-U", Self.superuser, Self.database])
        guard
            try await status(
                "psql",
                ["-h", sockets, "-U", Self.superuser, "-d", Self.database, "-qAtc", "select 1"])
                == 0
        else {
            throw ConfigurationError("the private database does not answer; see \(log)")
        }
    }

    /// Ends the server; what was committed stays.
    func stop() async {
        _ = try? await status("pg_ctl", ["stop", "-D", cluster, "-m", "fast", "-s"])
    }

    private func makeOwnFolder(_ path: String) throws {
        try DataFolder.makeFolder(path)
        chmod(path, 0o700)
        if let user, chown(path, user.uid, user.gid) != 0 {
            throw ConfigurationError(
                "cannot give \(path) to the user postgres: \(String(cString: strerror(errno)))")
        }
    }

    private func openLog() throws {
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            throw ConfigurationError("cannot write \(log): \(String(cString: strerror(errno)))")
        }
        if let user { fchown(descriptor, user.uid, user.gid) }
        close(descriptor)
    }

    private func run(_ program: String, _ arguments: [String]) async throws {
        let code = try await status(program, arguments)
        if code != 0 {
            throw ConfigurationError("\(program) ended with status \(code); see \(log)")
        }
    }

    private func status(_ program: String, _ arguments: [String]) async throws -> Int32 {
        let descriptor = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        defer { if descriptor >= 0 { close(descriptor) } }
        let child = try await ChildProcess.start(
            executable: "\(programs)/\(program)", arguments: arguments,
            environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/"], user: user,
            output: descriptor >= 0 ? descriptor : nil, on: loop)
        return await child.waitForExit()
    }
}
