"""Where items are, below /v1."""

from rest_framework.routers import SimpleRouter

from .views import ItemViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("items", ItemViewSet)
urlpatterns = router.urls
