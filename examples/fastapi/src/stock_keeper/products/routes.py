"""Products over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from ..runtime.http import read_id
from ..runtime.resource import PageRequest
from ..runtime.routing import IdempotencyKey, Revisions, RowId, read_patch, read_query
from ..runtime.service import answer, answer_page, database, in_thread
from ..runtime.store import Store
from .model import PRODUCTS, Product, ProductContent

router = APIRouter(prefix=PRODUCTS.path, tags=[PRODUCTS.plural])


async def product_store(request: Request) -> Store[Product, ProductContent]:
    return Store(PRODUCTS, database(request))


Products = Annotated[Store[Product, ProductContent], Depends(product_store)]
ProductQuery = Annotated[PageRequest, Depends(read_query(PRODUCTS))]
ProductPatch = Annotated[dict[str, Any], Depends(read_patch(PRODUCTS))]


@router.get("", response_model=PRODUCTS.page_view)
@PRODUCTS.lists
async def list_products(request: Request, products: Products, query: ProductQuery) -> Response:
    page = await in_thread(request, products.page, query)
    return answer_page(request, PRODUCTS, page)


@router.post("", response_model=PRODUCTS.view, status_code=201)
@PRODUCTS.creates
async def create_product(
    request: Request, products: Products, content: ProductContent, idempotency_key: IdempotencyKey
) -> Response:
    product = await in_thread(request, products.create, content, idempotency_key=idempotency_key)
    location = request.app.url_path_for("get_product", product_id=product.id)
    return answer(request, PRODUCTS, product, 201, location=location)


@router.get("/{product_id}", response_model=PRODUCTS.view)
@PRODUCTS.reads
async def get_product(request: Request, products: Products, product_id: RowId) -> Response:
    product = await in_thread(request, products.get, read_id(product_id))
    return answer(request, PRODUCTS, product)


@router.put("/{product_id}", response_model=PRODUCTS.view)
@PRODUCTS.replaces
async def replace_product(
    request: Request,
    products: Products,
    product_id: RowId,
    content: ProductContent,
    revisions: Revisions,
) -> Response:
    product = await in_thread(request, products.replace, read_id(product_id), content, revisions)
    return answer(request, PRODUCTS, product)


@router.patch("/{product_id}", response_model=PRODUCTS.view)
@PRODUCTS.patches
async def patch_product(
    request: Request,
    products: Products,
    product_id: RowId,
    changes: ProductPatch,
    revisions: Revisions,
) -> Response:
    product = await in_thread(request, products.patch, read_id(product_id), changes, revisions)
    return answer(request, PRODUCTS, product)


@router.delete("/{product_id}", status_code=204)
@PRODUCTS.deletes
async def delete_product(
    request: Request, products: Products, product_id: RowId, revisions: Revisions
) -> Response:
    await in_thread(request, products.delete, read_id(product_id), revisions)
    return Response(status_code=204)
