extension Generator {
    /// `protoc-gen-janji --help`.
    public static let help = """
        protoc-gen-janji: Swift messages, clients and services from .proto files.

        protoc starts it; put it on the PATH or name it:
          protoc --plugin=protoc-gen-janji=.build/debug/protoc-gen-janji \\
                 --janji_out=Sources/App/Generated --janji_opt=access=internal \\
                 -I protos protos/shop/v1/shop.proto

        Parameters, joined by commas in --janji_opt:
          access=public|package|internal   before every declaration; default public
          module=NAME          the module that the code becomes a part of: it is not imported
          import=NAME[:FOLDER][+…]         a module to import; with a folder only by files that
                               import a proto below it, for example RPC:google/rpc+Shared:shared
          services=true|false  clients and service protocols; default true
          defaults=true|false  methods of a service that are not written answer UNIMPLEMENTED
                               instead of failing to compile; default false
          mocks=true|false     a service made of closures for each service; default false
          registry=NAME        an enum that lists every file, for reflection

        Names:
          package shop.order.v1       enum OrderV1 (the last two parts when the last is a version
                                      of three or more, else all of them: shop.v1 is ShopV1)
          message Line                OrderV1.Line; nested messages and enums nest
          string unit_price = 1;      var unitPrice: String
          optional, message fields    optionals; repeated: arrays; map: dictionaries
          oneof payment               var payment: OneOfPayment?, an enum with a case for each field
          enum Status, STATUS_OPEN    struct Status, .open; unknown numbers are kept
          service Orders              protocol OrdersService, struct OrdersClient,
                                      enum OrdersMethods, struct OrdersMock
          rpc GetLine                 func getLine
          shop/order.proto            shop_order.pb.swift

        proto3 whole; proto2 without groups, its extensions as unknown fields, its defaults as
        documentation. Editions are refused. Comments become documentation.
        """
}
