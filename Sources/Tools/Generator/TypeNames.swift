import Protobuf

/// The Swift names of every message, enum, oneof and service of a request.
struct TypeNames {
    /// The types of a service.
    struct Service {
        var `protocol`: String
        var client: String
        var methods: String
        var mock: String
    }

    /// By full name; complete from the namespace on, `BookingV1.WatchResponse.Snapshot`.
    private var paths: [String: String] = [:]
    private var oneofs: [String: String] = [:]
    private var services: [String: Service] = [:]

    init(_ files: [FileSchema]) {
        let namespaces = Set(files.map { SwiftIdentifier.namespace(package: $0.package) })
        // A type called like a namespace would hide it.
        let reserved = namespaces.union(SwiftIdentifier.reservedTypes)
        var scopes: [String: NameScope] = [:]
        for file in files {
            let namespace = SwiftIdentifier.namespace(package: file.package)
            var scope = scopes[namespace] ?? NameScope(reserved: reserved)
            add(file.messages, file.enums, in: namespace, &scope, reserved)
            scopes[namespace] = scope
        }
        for file in files {
            let namespace = SwiftIdentifier.namespace(package: file.package)
            for service in file.services {
                // `service Bookings` and `service BookingsService` both make BookingsService.
                var name = SwiftIdentifier.upperCamel(service.name)
                if name.hasSuffix("Service"), name != "Service" { name.removeLast(7) }
                var scope = scopes[namespace] ?? NameScope(reserved: reserved)
                services[service.fullName] = Service(
                    protocol: scope.claim("\(name)Service"), client: scope.claim("\(name)Client"),
                    methods: scope.claim("\(name)Methods"), mock: scope.claim("\(name)Mock"))
                scopes[namespace] = scope
            }
        }
    }

    func path(_ message: MessageSchema) -> String { paths[message.fullName] ?? message.name }
    func path(_ item: EnumSchema) -> String { paths[item.fullName] ?? item.name }

    /// The name of the enum, without the message around it.
    func oneof(_ oneof: OneofSchema, of message: MessageSchema) -> String {
        oneofs["\(message.fullName).\(oneof.name)"] ?? oneof.name
    }

    func service(_ service: ServiceSchema) -> Service {
        services[service.fullName]
            ?? Service(
                protocol: service.name, client: service.name, methods: service.name,
                mock: service.name)
    }

    private mutating func add(
        _ messages: [MessageSchema], _ enums: [EnumSchema], in parent: String,
        _ scope: inout NameScope, _ reserved: Set<String>
    ) {
        for item in enums {
            let name = scope.claim(SwiftIdentifier.upperCamel(item.name))
            paths[item.fullName] = "\(parent).\(name)"
        }
        for message in messages where !message.isMapEntry {
            let name = scope.claim(SwiftIdentifier.upperCamel(message.name))
            let path = "\(parent).\(name)"
            paths[message.fullName] = path
            var inner = NameScope(reserved: reserved)
            add(message.messages, message.enums, in: path, &inner, reserved)
            for oneof in message.oneofs {
                oneofs["\(message.fullName).\(oneof.name)"] = inner.claim(
                    "OneOf\(SwiftIdentifier.upperCamel(oneof.name))")
            }
        }
    }
}
