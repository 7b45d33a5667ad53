import Protobuf

/// `list`: the services, or the methods of one or of all.
struct ListCommand {
    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

    func run(_ name: String?) async throws {
        var names: [String] = []
        if let name {
            names = methods(try await session.source.service(name).service)
        } else {
            names = try await session.source.services()
            if session.settings.methods {
                var all: [String] = []
                for name in names { all += methods(try await session.source.service(name).service) }
                names = all
            }
        }
        if session.settings.json {
            let list = JSONValue.array(names.map { .string($0) })
            try session.output.line(JSONText.layout(list, compact: session.settings.compact))
        } else {
            for name in names { try session.output.line(name) }
        }
    }

    private func methods(_ service: ServiceSchema) -> [String] {
        service.methods.map { "\(service.fullName)/\($0.name)" }
    }
}
